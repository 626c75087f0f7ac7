// Reads a list of YAML texts from standard input and writes what the page's checker says of each.
const fs = require("fs"), path = require("path"), vm = require("vm");
const [assets, chinese] = process.argv.slice(2);
const window = {};
vm.runInNewContext(fs.readFileSync(path.join(assets, "preflight_rules.js"), "utf8"), { window });
const yaml = require(path.join(assets, "checker", "js-yaml.min.js"));
const { check } = require(path.join(assets, "preflight_page.js"));
const texts = JSON.parse(fs.readFileSync(0, "utf8"));
console.log(JSON.stringify(texts.map((text) => check(text, window.preflightRules, yaml, chinese === "zh"))));
