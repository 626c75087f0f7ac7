/* Check a YAML in the reader's browser: the rules of `preflight` that need no data.

   What they know lies in preflight_rules.js, which is made from the checker. The sentences are the
   checker's own; a test holds both to the same findings. `preflightCheck` needs no page. */
(() => {
  "use strict";

  class PyFloat {
    constructor(value) { this.value = value; }
    valueOf() { return this.value; }
  }
  const isFloat = (one) => one instanceof PyFloat;
  const isNumber = (one) => typeof one === "number" || typeof one === "bigint" || isFloat(one);
  const isMap = (one) => one !== null && typeof one === "object" && !Array.isArray(one) && !isFloat(one);
  const own = (map, key) => isMap(map) && Object.prototype.hasOwnProperty.call(map, key);

  /* As Python writes a value. */
  function written(value, quoted = true) {
    if (value === null) return "None";
    if (value === true) return "True";
    if (value === false) return "False";
    if (isFloat(value)) return writtenFloat(value.value);
    if (Array.isArray(value)) return `[${value.map((one) => written(one)).join(", ")}]`;
    if (isMap(value)) {
      return `{${Object.entries(value).map(([key, one]) => `${written(key)}: ${written(one)}`).join(", ")}}`;
    }
    if (typeof value !== "string" || !quoted) return String(value);
    const mark = value.includes("'") && !value.includes('"') ? '"' : "'";
    return mark + value.replace(/\\/g, "\\\\").replace(/\n/g, "\\n").replace(mark === "'" ? /'/g : /$^/, "\\'") + mark;
  }
  function writtenFloat(value) {
    if (Number.isNaN(value)) return "nan";
    if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
    const [mantissa, power] = value.toExponential().split("e");
    const exponent = Number(power);
    if (exponent < -4 || exponent >= 16) {
      return `${mantissa}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
    }
    const text = value.toFixed(Math.max(1, mantissa.replace(/[-.]/g, "").length - 1 - exponent));
    return text;
  }
  function short(value) {
    let text = value === null ? "null" : written(value, false);
    if (typeof value === "boolean") text = text.toLowerCase();
    return [...text].length <= 40 ? text : `${[...text].slice(0, 37).join("")}...`;
  }
  function kind(value) {
    if (value === null) return "NoneType";
    if (typeof value === "boolean") return "bool";
    if (isFloat(value)) return "float";
    if (isNumber(value)) return "int";
    return Array.isArray(value) ? "list" : isMap(value) ? "dict" : "str";
  }
  const counts = (one) => isNumber(one) || typeof one === "boolean"; // in Python 1 is true
  const equal = (one, other) => one === other || (
    counts(one) && counts(other) ? Number(one) === Number(other) :
      typeof one === "object" && typeof other === "object" && one && other && !isFloat(one) && written(one) === written(other));

  /* difflib's ratio and its closest match. */
  function matching(a, b) {
    let best = [0, 0, 0];
    for (let i = 0; i < a.length; i++) {
      for (let j = 0; j < b.length; j++) {
        let size = 0;
        while (i + size < a.length && j + size < b.length && a[i + size] === b[j + size]) size++;
        if (size > best[2]) best = [i, j, size];
      }
    }
    const [i, j, size] = best;
    return size ? size + matching(a.slice(0, i), b.slice(0, j)) + matching(a.slice(i + size), b.slice(j + size)) : 0;
  }
  function closest(word, names, cutoff = 0.6) {
    let best = "", score = cutoff;
    for (const name of names) {
      const total = word.length + name.length;
      if (total && 2 * Math.min(word.length, name.length) / total < score) continue;
      const ratio = total ? 2 * matching(name, word) / total : 1;
      if (ratio > score || (ratio === score && name > best)) [best, score] = [name, ratio];
    }
    return best;
  }

  /* YAML as OmegaConf reads it: which plain words are numbers, which are true or false. */
  const FLOAT = /^(?:[-+]?[0-9]+(?:_[0-9]+)*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+)|\.[0-9]+(?:_[0-9]+)*(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;
  const INT = /^(?:[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+)$/;
  const TRUE = /^(?:yes|Yes|YES|true|True|TRUE|on|On|ON)$/;
  const FALSE = /^(?:no|No|NO|false|False|FALSE|off|Off|OFF)$/;
  const NULL = /^(?:~|null|Null|NULL|)$/;
  function float(text) {
    const plain = text.replace(/_/g, "").toLowerCase();
    if (plain.endsWith(".inf")) return new PyFloat(plain.startsWith("-") ? -Infinity : Infinity);
    return new PyFloat(plain === ".nan" ? NaN : Number(plain));
  }
  function int(text) {
    const plain = text.replace(/_/g, ""), sign = plain.startsWith("-") ? -1 : 1;
    const digits = plain.replace(/^[-+]/, "");
    const found = /^0[0-7]+$/.test(digits) ? BigInt(`0o${digits.slice(1)}`) : BigInt(digits);
    const value = BigInt(sign) * found;
    return value > -(2n ** 53n) && value < 2n ** 53n ? Number(value) : value;
  }
  function schema(yaml) {
    const type = (name, pattern, construct) => new yaml.Type(`tag:yaml.org,2002:${name}`, {
      kind: "scalar", resolve: (text) => text === null ? name === "null" : pattern.test(text), construct });
    return yaml.FAILSAFE_SCHEMA.extend({ implicit: [
      type("null", NULL, () => null), type("bool", new RegExp(`${TRUE.source}|${FALSE.source}`), (text) => TRUE.test(text)),
      type("float", FLOAT, float), type("int", INT, int)] });
  }
  /* Values, and the line of each dotted key, from 1. */
  function read(text, yaml) {
    const stack = [{ children: [] }];
    const listener = (event, state) => {
      if (event === "open") return void stack.push({ line: state.line + 1, children: [] });
      const node = stack.pop();
      node.kind = state.kind;
      node.text = state.kind === "scalar" ? state.result : null;
      if (node.kind === "scalar") node.children = [];
      stack.at(-1).children.push(node);
    };
    const values = yaml.load(text, { schema: schema(yaml), listener });
    const lines = {};
    (function walk(node, prefix) {
      for (let place = 0; node.kind === "mapping" && place + 1 < node.children.length; place += 2) {
        const [name, value] = node.children.slice(place, place + 2), key = `${prefix}${name.text}`;
        lines[key] ??= name.line;
        walk(value, `${key}.`);
      }
    })(stack[0].children[0] || { children: [] }, "");
    return { values, lines };
  }

  function flatten(values, prefix = "", found = {}) {
    for (const [name, value] of Object.entries(values)) {
      if (isMap(value) && Object.keys(value).length) flatten(value, `${prefix}${name}.`, found);
      else found[prefix + name] = value;
    }
    return found;
  }
  function merged(base, over) {
    const found = { ...base };
    for (const [name, value] of Object.entries(over)) {
      found[name] = isMap(value) && isMap(found[name]) ? merged(found[name], value) : value;
    }
    return found;
  }
  const parts = (key) => [key.slice(0, Math.max(0, key.lastIndexOf("."))), key.slice(key.lastIndexOf(".") + 1)];

  /* What is wrong with a YAML.

     Returns {error} where it cannot be checked, else {findings}, the worst first, each with rule,
     severity, key, line, message and fix. */
  function check(text, rules, yaml, chinese = false) {
    const say = (template, fields = {}) => {
      const said = (chinese && rules.zh[template]) || template;
      return said.replace(/\{(\w+)\}/g, (whole, name) => name in fields ? String(fields[name]) : whole);
    };
    let document;
    try {
      document = read(text, yaml);
    } catch (problem) {
      const line = problem.mark ? problem.mark.line + 1 : 0;
      return { error: say("line {line}: “{problem}”. Correct the YAML there.", { line, problem: problem.reason || problem.message }) };
    }
    const { values, lines } = document;
    if (!isMap(values)) return { error: say("It holds no keys: give a config with `key: value` lines.") };
    if (own(values, "defaults")) return { error: say("Its `defaults` name other files, which a page cannot read: give it to the command.") };
    const name = String(values.model ?? "");
    const last = name.replace(/\\/g, "/").replace(/\/+$/, "").split("/").at(-1);
    if ((rules.registers.model.includes(name) && name !== rules.ownClass)
        || (new RegExp(rules.others, "i").test(last) && !new RegExp(rules.ownName, "i").test(last))
        || values.hub === "openai"
        || (!name && rules.otherParts.some((one) => own(values, one)) && !rules.ownParts.some((one) => own(values, one)))) {
      return { error: say("It is for {model}: pre-flight knows {own} (Fun-ASR-Nano) only, and would say wrong things of any other.",
        { model: name || say("another model"), own: rules.ownClass }) };
    }
    const flat = flatten(values), base = flatten(rules.base);
    const alone = own(values, "model_conf");
    const lacking = alone ? lacks(values) : [];
    const seen = alone && !lacking.length ? values : merged(rules.base, values);
    const findings = [];
    const add = (rule, severity, message, fix, key) => findings.push({ rule, severity: severity === "error" && !lookedInto(key) ? "warning" : severity, key, message, fix, line: lineOf(key) });

    function lookedInto(key) {
      return Object.entries(rules.switches).every(([section, each]) => !`${key}.`.startsWith(`${section}.`) || on(each));
    }

    function lineOf(key) {
      const pieces = key.split(".");
      while (pieces.length) {
        if (lines[pieces.join(".")]) return lines[pieces.join(".")];
        pieces.pop();
      }
      return null;
    }
    function on(key) {
      const one = value(key);
      if (Array.isArray(one)) return one.length > 0;
      return isNumber(one) ? Number(one) !== 0 : isMap(one ?? null) ? Object.keys(one).length > 0 : Boolean(one);
    }
    function value(key) {
      let node = seen;
      for (const part of key.split(".")) {
        if (!own(node, part)) return undefined;
        node = node[part];
      }
      const reference = typeof node === "string" && /^\$\{\s*([\w.-]+)\s*\}$/.exec(node);
      return reference && reference[1] !== key ? value(reference[1]) : node;
    }
    function lacks(all) {
      const at = (key) => key.split(".").reduce((node, part) => (isMap(node) ? node[part] : undefined), all);
      const wanted = all.ctc_decoder && !all.ctc_tokenizer ? [...rules.pieces, ...rules.ctcPieces] : rules.pieces;
      const found = wanted.filter((piece) => at(piece) === undefined || at(piece) === null);
      return found.filter((one) => !found.includes(parts(one)[0]));
    }
    const verdict = (key) => rules.keys[key]?.[0] ?? "";
    const typeOf = (key) => rules.keys[key]?.[1] ?? "";
    const reads = (key) => { const [section, last] = parts(key); return rules.sections[section]?.includes(last); };
    const known = (key) => own(rules.keys, key) || reads(key);
    const defaults = (key) => rules.defaults[key] ?? [];
    const note = (key) => { const said = rules.notes[key] ?? ""; return (chinese && rules.notesZh[said]) || said; };
    const specaug = (key) => ["specaug", "specaug_conf"].includes(key.split(".")[0]);
    const mine = Object.entries(flat).filter(([key]) => known(key) && !specaug(key));
    const differs = (key, one) => !own(base, key) || !equal(base[key], one);
    function freeForm(key) {
      const pieces = key.split("."), chooser = pieces[0].replace(/_conf$/, "");
      if (rules.launcherKeys.includes(key) || (pieces[0] === "llm_conf" && pieces[1] === "load_kwargs")
          || pieces.slice(0, 2).some((one) => rules.freeSections.includes(one))) return true;
      return own(rules.choosers, chooser) && (value(chooser) ?? rules.choosers[chooser]) !== rules.choosers[chooser];
    }
    function suggest(key) {
      const [section, last] = parts(key);
      const same = rules.names.filter((one) => parts(one)[0] === section).map((one) => parts(one)[1]);
      const close = closest(last, same, 0.75);
      if (close) return section ? `${section}.${close}` : close;
      return rules.names.find((one) => parts(one)[1] === last) ?? "";
    }

    if (alone) {
      const fix = say("Launch with ++model=MODEL_DIR and take `model_conf` and `tokenizer_conf.init_param_path` out of the file (or add ~model_conf and ~tokenizer_conf.init_param_path to the command).");
      if (lacking.length) add("launch-alone", "error", say("The file sets `model_conf`, so FunASR does not lay it over the model directory's config, whatever `model` says. Alone it lacks {lacking}, and the run ends there.", { lacking: lacking.join(", ") }), fix, "model_conf");
      else if (!flat.init_param) add("launch-alone", "error", say("The file sets `model_conf`, so FunASR reads it alone, and without `init_param` the model starts from random weights."), fix, "model_conf");
    }
    for (const key of Object.keys(flat)) {
      if (known(key) || freeForm(key) || rules.oneValue.some((each) => key.startsWith(`${each}.`))) continue;
      const section = parts(key)[0], meant = suggest(key), ends = rules.refuses.includes(section);
      add("keys-unknown", ends ? "error" : "warning",
        ends ? say("`{key}` is no key of `{section}`, and its class ends the run at that.", { key, section }) :
          say("Nothing on the path of this run reads `{key}`. FunASR takes it in silence, and it changes nothing.", { key }),
        meant ? say("Did you mean `{meant}`?", { meant }) : say("Take it out."), key);
    }
    const idle = [["keys-never-read", "never read", "Nothing reads `{key}`, so its {value} changes nothing. {note}"],
      ["keys-no-effect", "read without effect", "`{key}: {value}` is read and changes nothing. {note}"]];
    for (const [rule, wanted, template] of idle) {
      for (const [key, one] of mine) {
        if (verdict(key) !== wanted || one === null || (key.endsWith("deepspeed_config") && ["use_deepspeed", "train_conf.use_deepspeed"].some((each) => value(each)))) continue;
        add(rule, differs(key, one) ? "warning" : "note", say(template, { key, value: short(one), note: note(key) }), say("Take it out, so that nobody relies on it."), key);
      }
    }
    for (const [key, one] of mine) {
      if (verdict(key) === "live, but not as described" && differs(key, one) && !defaults(key).some((each) => equal(each, one)) && note(key)) {
        add("keys-otherwise", "note", say("`{key}: {value}`. {note}", { key, value: short(one), note: note(key) }), "", key);
      }
    }
    for (const [key, one] of mine) {
      let wanted = typeOf(key);
      if (wanted === "int" && defaults(key).some((each) => typeof each === "number" && !Number.isInteger(each))) wanted = "float";
      const broken = isFloat(one) && rules.trulyWhole.includes(key.split(".").pop());
      if (one === null || !(broken || wrong(one, wanted)) || (key === rules.saveExcludes && typeof one === "string")) continue;
      const ends = ["int", "float"].includes(wanted) && (broken || !(isNumber(one) || typeof one === "boolean")) && !["never read", "read without effect"].includes(verdict(key));
      add("keys-type", ends ? "error" : "warning",
        say("`{key}` is {value} of type {found}, and {wanted} is wanted.", { key, value: short(one), found: kind(one), wanted }), say("Write a value of type {wanted}.", { wanted }), key);
    }
    function wrong(one, wanted) {
      if (typeof one === "string" && one.includes("$")) return false;
      const fits = { int: isNumber(one) && Number.isInteger(Number(one)), float: isNumber(one), bool: typeof one === "boolean", str: typeof one === "string", list: Array.isArray(one) };
      return !(fits[wanted] ?? true);
    }
    for (const [key, one] of Object.entries(flat)) {
      const section = own(rules.sections, key) || Object.keys(rules.keys).some((each) => each.startsWith(`${key}.`));
      if (key.endsWith("_conf") && section && !(isMap(one) && !Object.keys(one).length) && !specaug(key) && !(one === null && rules.mayBeNull.includes(key))) {
        add("keys-section", "error", say("`{key}` is {value}, and FunASR looks for keys in it.", { key, value: short(one) }), say("Write its keys below it, or take it out."), key);
      }
    }
    for (const [key, one] of Object.entries(flat)) {
      if (one === null && (rules.neverNull.includes(key) || rules.neverNullOfLora.includes(key) && on("llm_conf.use_lora"))) add("keys-null", "error", say("`{key}` is null, which is not the same as left out: FunASR takes it as it is, and the run ends.", { key }), say("Take it out, or give a value."), key);
    }
    if (value("dataset_conf.ctc_tokenizer") === null && value("ctc_decoder") && !value("ctc_tokenizer")) {
      add("keys-null", "error", say("`{key}` is null, and the model ends the run without one.", { key: "dataset_conf.ctc_tokenizer" }), say("Take it out."), "dataset_conf.ctc_tokenizer");
    }
    crash();
    for (const [key, one] of mine) {
      if (typeof one === "boolean" || !isNumber(one)) continue;
      const last = parts(key)[1], number = Number(one);
      if (last === "lora_alpha" && number === 0 && !on("llm_conf.use_lora")) continue;
      const why = outOfRange(last, one);
      const runs = Number.isFinite(number) && (last === "lr" && number >= 1 || last.endsWith("dropout_rate") && number === 1 || last === "lora_dropout" && number <= 1 ||
        rules.runsBelow.includes(last) && !(rules.endsAtZero.includes(last) && number === 0) && !(last === "warmup_steps" && number < 0));
      if (why) add("keys-range", runs ? "warning" : "error", say("`{key}: {value}` {why}", { key, value: short(one), why }), say("Give a value that can be meant."), key);
    }
    function outOfRange(last, one) {
      const number = Number(one);
      if (isFloat(one) && !Number.isFinite(number)) return say("is no finite number.");
      if (last === "lr" && !(number > 0 && number < 1)) return say("is no learning rate: it has to lie between 0 and 1.");
      if (rules.atLeastOne.includes(last) && number < 1) return say("has to be at least 1.");
      if (rules.notNegative.includes(last) && number < 0) return say("cannot be negative.");
      if (last === "lora_alpha" && number === 0) return say("takes LoRA's matrices times 0: they add nothing and learn nothing.");
      if ((last.endsWith("dropout_rate") || last.endsWith("lora_dropout")) && !(number >= 0 && number < 1)) return say("is no share: it has to be at least 0 and below 1.");
      return "";
    }
    function crash() {
      const ends = (message, fix, key) => add("keys-crash", "error", message, fix, key);
      if (value("ctc_conf.blank_id") != null && own(flat, "ctc_conf.blank_id")) ends(say("`ctc_conf.blank_id` reaches the CTC class twice, and the run ends when the model is built."), say("Take it out."), "ctc_conf.blank_id");
      for (const key of ["bf16", "fp16"]) {
        if (on(key)) ends(say("`{key}` at the top level is for decoding: it turns the whole model to 16 bits and the features stay in 32, so the first step ends the run.", { key }), say("Take it out and set train_conf.use_bf16."), key);
      }
      if (on("train_conf.use_fp16") && !on("train_conf.use_bf16")) add("keys-crash", "warning", say("`train_conf.use_fp16` can end the run or make it learn nothing: FunASR's loss scaling does not fit all that it trains."), say("Set train_conf.use_bf16: true in its place."), "train_conf.use_fp16");
      const score = value("train_conf.avg_keep_nbest_models_type");
      if (score !== undefined && !rules.scores.includes(score)) ends(say("`train_conf.avg_keep_nbest_models_type` is {score}, and FunASR keeps acc and loss only: the first validation ends the run.", { score: short(score) }), say("Write loss."), "train_conf.avg_keep_nbest_models_type");
      for (const [kindOf, names] of Object.entries(rules.preprocessors)) {
        const one = value(`dataset_conf.${kindOf}`);
        if (one && !names.includes(one)) ends(say("`dataset_conf.{kind}: {name}` names nothing that FunASR has, and the run ends there.", { kind: kindOf, name: short(one) }), say("Choose one of {names}.", { names: names.join(", ") }), `dataset_conf.${kindOf}`);
      }
    }
    for (const [key, one] of Object.entries(flat)) {
      const names = rules.registers[key] ?? [];
      if (!names.length || one === null || names.includes(one) || specaug(key) || written(one, false).includes("$")) continue;
      if (key === "model" && (!alone || /[/\\:]/.test(written(one, false)))) continue;
      if (key.endsWith("ctc_tokenizer") && !rules.registers.ctc_decoder.includes(value("ctc_decoder"))) continue;
      const text = written(one, false), runs = key === "ctc_decoder";
      const close = names.find((each) => each.toLowerCase() === text.toLowerCase()) || closest(text, names);
      add("keys-class", runs ? "warning" : "error", say(runs ? "`{key}: {value}` names nothing that FunASR has: the model is built without a CTC branch." : "`{key}: {value}` names nothing that FunASR has, and the run ends there.", { key, value: short(one) }),
        close ? say("Write {name}.", { name: close }) : say("Choose one of {names}.", { names: names.slice(0, 12).join(", ") }), key);
    }
    for (const key of Object.keys(rules.choosers)) {
      const said = own(flat, key) && rules.deprecated[key]?.[written(flat[key], false)];
      if (said) add("keys-deprecated", "warning", say("`{key}: {value}`: the library itself says \"{said}\"", { key, value: short(flat[key]), said }), say("Write {usual}.", { usual: rules.choosers[key] }), key);
    }
    if (on("debug")) add("keys-debug", "error", say("`debug: true` stops the training program in Python's debugger before anything is built: a run without a keyboard hangs or ends there."), say("Take it out."), "debug");
    const train = "train_conf";
    if (on(`${train}.use_fp16`) && on(`${train}.use_bf16`)) add("keys-conflict", "warning", say("`train_conf.use_fp16` and `train_conf.use_bf16` are both true: FunASR computes in bfloat16, and scales the loss as for float16."), say("Keep use_bf16."), `${train}.use_fp16`);
    const keep = value(`${train}.keep_nbest_models`), average = value(`${train}.avg_nbest_model`);
    if (kind(keep ?? null) === "int" && kind(average ?? null) === "int" && average > keep && keep > 0) add("keys-conflict", "warning", say("`train_conf.avg_nbest_model` is {average} and only {keep} checkpoints are kept: {keep} are averaged.", { average, keep }), say("Set both to the same number."), `${train}.avg_nbest_model`);
    for (const [low, high] of rules.pairs) {
      const least = value(`dataset_conf.${low}`), most = value(`dataset_conf.${high}`), key = `dataset_conf.${low}`;
      if (isNumber(least) && isNumber(most) && Number(least) > Number(most)) add("keys-conflict", "error", say("`{low}` is {least} and `{high}` is {most}: nothing lies between.", { low, high, least: written(least, false), most: written(most, false) }), say("Exchange them, or leave both out."), own(flat, key) ? key : `dataset_conf.${high}`);
    }
    if (on("lora_only") && !on("llm_conf.use_lora")) add("keys-conflict", "error", say("`lora_only` is true and `llm_conf.use_lora` is not: nothing is left that may learn."), say("Turn LoRA on, or take `lora_only` out."), "lora_only");
    const broken = [["audio_encoder_conf.activation_checkpoint", "The encoder scales its input in place, and PyTorch's checkpointing ends the run at that."]];
    const frozen = value("llm_conf.freeze");
    if (frozen === undefined ? rules.freezeDefaults["llm_conf.freeze"] ?? true : frozen) broken.push(["llm_conf.activation_checkpoint", "With a frozen LLM, checkpointing makes the embeddings a leaf that wants a gradient. FunASR writes the speech into them in place, and the run ends at that."]);
    for (const [key, why] of broken) {
      if (on(key)) add("run-activation-checkpoint", "error", say(why), say("Set it to false."), key);
    }
    if (flat.specaug) add("specaug-not-applied", "warning", say("`specaug` and its keys reach nothing: FunASRNano builds no module that masks. {share}", { share: "" }), say("Take specaug and specaug_conf out."), "specaug");
    const rank = ["error", "warning", "note"];
    return { findings: findings.sort((one, other) => rank.indexOf(one.severity) - rank.indexOf(other.severity)) };
  }
  if (typeof module !== "undefined") module.exports = { check };
  if (typeof document === "undefined") return;

  const escaped = (text) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`).replace(/`([^`]+)`/g, "<code>$1</code>");
  function start(box) {
    const rules = window.preflightRules, text = box.querySelector("textarea"), out = box.querySelector("output");
    const file = box.querySelector("input[type=file]"), language = box.querySelector("select");
    const chinese = () => language.value === "zh";
    const say = (template, fields = {}) => ((chinese() && rules.zh[template]) || template).replace(/\{(\w+)\}/g, (whole, name) => fields[name] ?? whole);
    function label() {
      box.lang = chinese() ? "zh-CN" : "en";
      box.querySelectorAll("[data-say]").forEach((one) => { one.textContent = say(one.dataset.say); });
    }
    function show() {
      label();
      if (!text.value.trim()) return void (out.innerHTML = "");
      const told = check(text.value, rules, window.jsyaml, chinese());
      if (told.error) return void (out.innerHTML = `<p role="alert">${escaped(told.error)}</p>`);
      const count = (severity) => told.findings.filter((one) => one.severity === severity).length;
      const head = say("{errors} errors, {warnings} warnings, {notes} notes", { errors: count("error"), warnings: count("warning"), notes: count("note") });
      out.innerHTML = `<p><strong>${escaped(head)}</strong></p><ol class="findings">${told.findings.map((one) => `<li class="pf-${one.severity}"><p><strong>${escaped(say(one.severity))}</strong> <code>${escaped(one.key)}</code> ${one.line ? escaped(say("line {line}", { line: one.line })) : ""} <small>${one.rule}</small></p><p>${escaped(one.message)}</p>${one.fix ? `<p>→ ${escaped(one.fix)}</p>` : ""}</li>`).join("")}</ol><p><small>${escaped(say("Checked on this page alone, for FunASR {version}: {count} rules that need no data. The command knows more.", { version: rules.version, count: rules.rules.length }))}</small></p>`;
    }
    const take = async (chosen) => { if (chosen) { text.value = await chosen.text(); show(); } };
    let waiting;
    text.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(show, 250); });
    file.addEventListener("change", () => take(file.files[0]));
    language.addEventListener("change", show);
    box.addEventListener("dragover", (event) => { event.preventDefault(); box.classList.add("pf-over"); });
    box.addEventListener("dragleave", () => box.classList.remove("pf-over"));
    box.addEventListener("drop", (event) => { event.preventDefault(); box.classList.remove("pf-over"); take(event.dataTransfer.files[0]); });
    if (document.documentElement.lang.startsWith("zh")) language.value = "zh";
    box.hidden = false;
    show();
  }
  const begin = () => document.querySelectorAll(".preflight-page").forEach(start);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
