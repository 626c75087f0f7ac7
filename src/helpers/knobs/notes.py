"""Words for results that a key's name does not suggest: short, reviewed, tied to what moved.

A note applies only while the bench sees what it says: it names the result, the parts that must have
moved and those that must not have. If the library changes, the note goes and the plain result
stays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from helpers.config.funasr_source import ignored_by
from helpers.knobs.record import LIVE, NEVER_READ, NO_EFFECT, OTHERWISE, RAISES, Knob


@dataclass(frozen=True)
class Note:
    """A sentence about a key, and the result that it needs: what moved, and what stood still.

    Attributes:
        otherwise: whether the key is live in another way than its name or the document says.
    """

    text: str
    verdict: str = LIVE
    moved: tuple[str, ...] = ()
    still: tuple[str, ...] = ()
    otherwise: bool = True

    def fits(self, knob: Knob) -> bool:
        return (knob.verdict == self.verdict and set(self.moved) <= set(knob.moved)
                and not set(self.still) & set(knob.moved))


LEARNING = ("gradients", "losses", "trained weights")
NOTES: dict[str, Note] = {
    "model_conf.length_normalized_loss": Note(
        "It changes the weight that forward() returns beside the loss. The trainer never uses it.",
        NO_EFFECT),
    "llm": Note("FunASRNano has a parameter of this name and never looks at it: the LLM is what "
                "lies in llm_conf.init_param_path.", NEVER_READ),
    "audio_adaptor_conf.use_low_frame_rate": Note(
        "Read when the model decodes. The training dataset always shortens the speech.",
        moved=("decoding",), still=("LLM input", *LEARNING)),
    "audio_adaptor_conf.llm_dim": Note(
        "Overwritten with the LLM's own width before the adaptor is built.", NO_EFFECT),
    "audio_adaptor_conf.encoder_dim": Note(
        "Overwritten with the encoder's own width before the adaptor is built.", NO_EFFECT),
    "ctc_decoder_conf.encoder_dim": Note(
        "Overwritten with the encoder's own width before the decoder is built.", NO_EFFECT),
    "ctc_decoder_conf.freeze": Note(
        "It sets flags on parameters that get no gradient either way. On two GPUs the flags decide "
        "whether training survives its second step.",
        moved=("trainable flags",), still=LEARNING),
    "ctc_weight": Note("Stored. The loss has no CTC term to weigh.", NO_EFFECT),
    "detach_ctc_decoder": Note("Stored. forward() never calls the CTC decoder.", NO_EFFECT),
    "ctc_conf.dropout_rate": Note("Stored by the CTC class, which builds no dropout.", NO_EFFECT),
    "ctc_conf.reduce": Note("Stored by the CTC class. No CTC loss is computed.", NO_EFFECT),
    "audio_encoder_conf.normalize_before": Note(
        "Stored by the encoder. Its blocks keep their own default.", NO_EFFECT),
    "train_conf.validate_interval": Note(
        "An extra validation also draws random numbers, so training goes on with other dropout.",
        moved=("validations", "trained weights"), otherwise=False),
    "train_conf.use_bf16": Note(
        "It asks for CUDA's autocast, so no number moves on a CPU. The LLM has its own type, "
        "llm_conf.llm_dtype.", moved=("precision",), still=LEARNING, otherwise=False),
    "train_conf.use_deepspeed": Note(
        "The package deepspeed is not installed here. FunASR does not check, and fails when it "
        "first uses it.", RAISES),
    "train_conf.deepspeed_config": Note(
        "Handed to the trainer, which opens it only with use_deepspeed on.", NO_EFFECT),
    "train_conf.resume": Note(
        "It matters only where the output folder holds a model.pt.", otherwise=False),
    "enable_tf32": Note("It sets PyTorch's switch for CUDA. No number moves on a CPU.",
                        moved=("launch",), still=LEARNING, otherwise=False),
    "debug": Note("It stops the training program in Python's debugger, before anything is built.",
                  moved=("launch",), still=LEARNING, otherwise=False),
    "dataset_conf.batch_sampler": Note(
        "Most of the registered names are one and the same function. EspnetStyleBatchSampler "
        "is another, and makes other batches.", moved=("batches",)),
    "dataset_conf.batch_size": Note(
        "With batch_type token it counts 10 ms frames plus text tokens, of the longest sample "
        "times the number of samples.", moved=("batches",)),
    "dataset_conf.max_token_length": Note(
        "The sampler compares it with 10 ms frames plus text tokens, the dataset with the tokens "
        "that the LLM gets.", moved=("batches",)),
    "dataset_conf.batch_size_token_max": Note(
        "The batches stay as they were made. Samples are then dropped from them, last first.",
        moved=("collated batches",), still=("batches",)),
    "dataset_conf.data_split_num": Note(
        "With one .jsonl each split is the whole file: the epoch gets longer, nothing is split.",
        moved=("batches", "learning rate")),
    "dataset_conf.retry": Note(
        "It matters only for a sample that fails. Then another one is drawn at random; the same "
        "one is not tried again.", moved=("prompt",)),
    "dataset_conf.prompt_classes": Note(
        "It changes training prompts only. Decoding keeps the prompt of the released model.",
        moved=("prompt", "losses"), still=("decoding",)),
    "dataset_conf.num_workers": Note(
        "Each worker process draws its own random numbers: another order of hotwords, other "
        "dither.",
        moved=("data loader",), otherwise=False),
    "dataset_conf.shuffle": Note(
        "With shuffling on, the sampler also sets Python's random seed to the epoch.",
        moved=("batches",), otherwise=False),
    "dataset_conf.batch_size_scale_ratio_max": Note("Stored by the dataset.", NO_EFFECT),
}


def reviewed(knob: Knob) -> Knob:
    """The knob with its reviewed note and class, if the note fits what was observed.

    A key that nothing reads gets a sentence on the function that takes it and drops it.
    """
    note = NOTES.get(knob.key)
    if note is not None and note.fits(knob):
        verdict = OTHERWISE if note.verdict == LIVE and note.otherwise else knob.verdict
        return replace(knob, verdict=verdict, note=" ".join(filter(None, (note.text, knob.note))))
    owner = ignored_by(knob.key) if knob.verdict == NEVER_READ and not knob.note else ""
    text = f"A parameter of {owner} that the function never mentions again." if owner else knob.note
    return replace(knob, note=text)
