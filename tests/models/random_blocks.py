"""Matrices of random weights in the encodings of GGUF. Any block of bits with finite scales is a valid one, so nothing is
quantised: quants and scales are drawn themselves, which reaches every quant and every bit. Layouts: `ggml-common.h` of the
ggml project."""

import numpy as np
from gguf import GGMLQuantizationType as Type

# Standard deviation of the whole numbers from 0 to 2^bits - 1, all as likely.
UNIFORM_DEVIATION = {bits: ((4**bits - 1) / 12) ** 0.5 for bits in (4, 5, 6)}
K_BLOCK = 256


def random_matrix(rng, tensor_type, rows, columns, deviation):
    """Weights of `[rows, columns]` around 0 with this standard deviation, as an array that GGUFWriter takes."""
    match tensor_type:
        case Type.F32:
            return floats(rng, rows, columns, deviation)
        case Type.F16:
            return floats(rng, rows, columns, deviation).astype(np.float16)
        case Type.BF16:
            bits = floats(rng, rows, columns, deviation).view(np.uint32)
            return (bits >> 16).astype(np.uint16).view(np.uint8).reshape(rows, 2 * columns)
    make_blocks, block_weights = BLOCKS[tensor_type]
    blocks = make_blocks(rng, rows * columns // block_weights, deviation)
    return blocks.reshape(rows, -1)


def block_weights(tensor_type):
    """How many weights a block has: rows are whole blocks."""
    return BLOCKS[tensor_type][1] if tensor_type in BLOCKS else 1


def floats(rng, rows, columns, deviation):
    return rng.standard_normal((rows, columns), dtype=np.float32) * np.float32(deviation)


def random_bytes(rng, count, size):
    return np.frombuffer(rng.bytes(count * size), np.uint8).reshape(count, size)


def random_scales(rng, count, size):
    """f16 scales of `size`, give or take a half."""
    return (size * rng.uniform(0.5, 1.5, (count, 1))).astype(np.float16)


def random_signs(rng, shape):
    return rng.integers(0, 2, shape) * 2 - 1


def as_bytes(scales):
    return scales.astype(np.float16).view(np.uint8)


def signed(bits):
    """Q4_0 and Q5_0: scale · (quant - half the range). Quants are not quite around 0, so scales have either sign."""

    def blocks(rng, count, deviation):
        scales = random_scales(rng, count, deviation / UNIFORM_DEVIATION[bits]) * random_signs(rng, (count, 1))
        return np.hstack([as_bytes(scales), random_bytes(rng, count, 4 * bits)])

    return blocks


def with_offset(bits):
    """Q4_1 and Q5_1: scale · quant + offset."""

    def blocks(rng, count, deviation):
        scales = random_scales(rng, count, deviation / UNIFORM_DEVIATION[bits])
        offsets = scales * np.float16(-(2**bits - 1) / 2)
        return np.hstack([as_bytes(scales), as_bytes(offsets), random_bytes(rng, count, 4 * bits)])

    return blocks


def q8_0(rng, count, deviation):
    scales = random_scales(rng, count, deviation / 73.9)
    return np.hstack([as_bytes(scales), random_bytes(rng, count, 32)])


def k_with_minima(bits):
    """Q4_K and Q5_K: scale · s · quant - minimum_scale · m, with s and m of 6 bits for each group of 32."""

    def blocks(rng, count, deviation):
        s = rng.integers(32, 64, (count, 8))
        m = np.clip(s + rng.integers(-3, 4, (count, 8)), 0, 63)
        scales = random_scales(rng, count, deviation / UNIFORM_DEVIATION[bits] / 48)
        minimum_scales = scales * np.float16((2**bits - 1) / 2)
        packed = np.hstack(
            [
                s[:, :4] | (s[:, 4:] >> 4) << 6,
                m[:, :4] | (m[:, 4:] >> 4) << 6,
                (s[:, 4:] & 15) | (m[:, 4:] & 15) << 4,
            ]
        ).astype(np.uint8)
        quants = random_bytes(rng, count, K_BLOCK * bits // 8)
        return np.hstack([as_bytes(scales), as_bytes(minimum_scales), packed, quants])

    return blocks


def q6_k(rng, count, deviation):
    s = (rng.integers(64, 128, (count, 16)) * random_signs(rng, (count, 16))).astype(np.int8)
    scales = random_scales(rng, count, deviation / UNIFORM_DEVIATION[6] / 96)
    return np.hstack([random_bytes(rng, count, 192), s.view(np.uint8), as_bytes(scales)])


# What makes so many blocks, and the weights of one.
BLOCKS = {
    Type.Q4_0: (signed(4), 32),
    Type.Q4_1: (with_offset(4), 32),
    Type.Q5_0: (signed(5), 32),
    Type.Q5_1: (with_offset(5), 32),
    Type.Q8_0: (q8_0, 32),
    Type.Q4_K: (k_with_minima(4), K_BLOCK),
    Type.Q5_K: (k_with_minima(5), K_BLOCK),
    Type.Q6_K: (q6_k, K_BLOCK),
}
