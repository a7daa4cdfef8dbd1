#!/usr/bin/env python3
"""Writes a GGUF model of a real shape with random weights: a few layers, but the real widths, heads, vocabulary, tokenizer
and chat template of a Qwen2.5 or Qwen3.

    make_random_model.py --architecture qwen3 --tensor-type Q4_K [--tied] --out FILE

Every matrix has the one type. The vocabulary comes from tests/vocabulary/.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from random_blocks import block_weights, random_matrix

VOCABULARY = Path(__file__).resolve().parent.parent / "vocabulary"
# The names of GGUF's file types, "mostly" this one.
FILE_TYPES = {
    Type.F32: "ALL_F32",
    Type.F16: "MOSTLY_F16",
    Type.BF16: "MOSTLY_BF16",
    Type.Q4_0: "MOSTLY_Q4_0",
    Type.Q4_1: "MOSTLY_Q4_1",
    Type.Q5_0: "MOSTLY_Q5_0",
    Type.Q5_1: "MOSTLY_Q5_1",
    Type.Q8_0: "MOSTLY_Q8_0",
    Type.Q4_K: "MOSTLY_Q4_K_S",
    Type.Q5_K: "MOSTLY_Q5_K_S",
    Type.Q6_K: "MOSTLY_Q6_K",
}
TYPES = list(FILE_TYPES)
CONTEXT = 2048
NORMAL, UNUSED = 1, 5

# Standard deviation of the logits. With so many tokens it makes the most likely one stand out as it does in real models.
LOGITS_DEVIATION = 5.0
# Of what each half of a layer adds to the residual stream, as part of what the embedding brings. Random layers pass on
# rounding errors much more than trained ones do, so it is little.
OUTPUT_SHARE = 0.1


@dataclass(frozen=True)
class Shape:
    """The sizes of a model."""

    hidden: int
    feed_forward: int
    heads: int
    kv_heads: int
    head_dim: int
    layers: int

    def fits(self, tensor_type):
        """Whether all rows are whole blocks."""
        widths = (self.hidden, self.feed_forward, self.heads * self.head_dim)
        return all(width % block_weights(tensor_type) == 0 for width in widths)


# In the order of preference: rows of 896 are no whole blocks of 256.
SHAPES = {
    "qwen2": [Shape(896, 4864, 14, 2, 64, 4), Shape(1536, 8960, 12, 2, 128, 2)],  # 0.5B, 1.5B
    "qwen3": [Shape(1024, 3072, 16, 8, 128, 4)],  # 0.6B
}


def write_model(path, architecture, tensor_type, tied, seed=1):
    """Writes a model; returns its shape."""
    shape = next(shape for shape in SHAPES[architecture] if shape.fits(tensor_type))
    writer = gguf.GGUFWriter(path, architecture)
    is_text = add_metadata(writer, architecture, shape, tensor_type)
    rng = np.random.default_rng(seed)
    head_name = "token_embd.weight" if tied else "output.weight"

    def add_matrix(name, rows, columns, deviation):
        matrix = random_matrix(rng, tensor_type, rows, columns, deviation)
        if name == head_name:
            # Zero in every encoding. So a token that is no whole text is never the likeliest.
            matrix[~is_text] = 0
        writer.add_tensor(name, matrix, raw_dtype=tensor_type)

    def add_vector(name, size, mean, deviation):
        writer.add_tensor(name, (mean + deviation * rng.standard_normal(size)).astype(np.float32))

    hidden, queries, keys = shape.hidden, shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    head_deviation = LOGITS_DEVIATION / hidden**0.5
    add_matrix("token_embd.weight", is_text.size, hidden, head_deviation if tied else 1)
    if not tied:
        add_matrix("output.weight", is_text.size, hidden, head_deviation)
    output_deviation = OUTPUT_SHARE * (head_deviation if tied else 1)
    # With both signs, so that a tied head doesn't just find the last token again.
    signs = rng.choice((-1, 1), hidden)
    writer.add_tensor("output_norm.weight", (signs * rng.normal(1, 0.1, hidden)).astype(np.float32))
    for layer in range(shape.layers):
        name = f"blk.{layer}.{{}}".format
        add_vector(name("attn_norm.weight"), hidden, 1, 0.1)
        add_matrix(name("attn_q.weight"), queries, hidden, hidden**-0.5)
        add_matrix(name("attn_k.weight"), keys, hidden, hidden**-0.5)
        add_matrix(name("attn_v.weight"), keys, hidden, hidden**-0.5)
        if architecture == "qwen3":
            add_vector(name("attn_q_norm.weight"), shape.head_dim, 1.5, 0.3)
            add_vector(name("attn_k_norm.weight"), shape.head_dim, 1.5, 0.3)
        else:
            add_vector(name("attn_q.bias"), queries, 0, 1)
            add_vector(name("attn_k.bias"), keys, 0, 3)
            add_vector(name("attn_v.bias"), keys, 0, 0.3)
        add_matrix(name("attn_output.weight"), hidden, queries, 2 * output_deviation * queries**-0.5)
        add_vector(name("ffn_norm.weight"), hidden, 1, 0.1)
        add_matrix(name("ffn_gate.weight"), shape.feed_forward, hidden, hidden**-0.5)
        add_matrix(name("ffn_up.weight"), shape.feed_forward, hidden, hidden**-0.5)
        add_matrix(name("ffn_down.weight"), hidden, shape.feed_forward, 2 * output_deviation * shape.feed_forward**-0.5)

    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return shape


def add_metadata(writer, architecture, shape, tensor_type):
    """Returns which tokens are whole text: printable ASCII."""
    writer.add_name(f"Random {architecture}")
    writer.add_file_type(gguf.LlamaFileType[FILE_TYPES[tensor_type]])
    writer.add_block_count(shape.layers)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(shape.hidden)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1e6)
    if architecture == "qwen3":
        writer.add_key_length(shape.head_dim)
        writer.add_value_length(shape.head_dim)

    vocabulary = json.loads((VOCABULARY / {"qwen2": "qwen2.5.json", "qwen3": "qwen3.json"}[architecture]).read_text())
    merges = (VOCABULARY / "merges.txt").read_text().split("\n")
    merges = [merge for merge in merges if merge]
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    tokens = [chr(byte) for byte in printable] + [chr(0x100 + n) for n in range(256 - len(printable))]
    tokens += [merge.replace(" ", "") for merge in merges]
    types = [NORMAL] * len(tokens)
    for special in vocabulary["special_tokens"]:
        tokens.append(special["text"])
        types.append(special["type"])
    tokens += [f"[PAD{n}]" for n in range(len(tokens), vocabulary["token_count"])]
    types += [UNUSED] * (len(tokens) - len(types))

    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(vocabulary["pre_tokenizer"])
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(tokens.index("<|endoftext|>"))
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_pad_token_id(tokens.index("<|endoftext|>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template(vocabulary["chat_template"])
    is_ascii = [token.replace("Ġ", " ").isascii() for token in tokens]
    return np.array(is_ascii) & (np.array(types) == NORMAL)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", choices=SHAPES, required=True)
    parser.add_argument("--tensor-type", choices=[tensor_type.name for tensor_type in TYPES], required=True)
    parser.add_argument("--tied", action="store_true", help="the token embedding is the head, too")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    write_model(arguments.out, arguments.architecture, Type[arguments.tensor_type], arguments.tied, arguments.seed)


if __name__ == "__main__":
    main()
