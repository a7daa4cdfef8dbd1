#!/usr/bin/env python3
"""Compares the engine with llama.cpp on models of real shapes with random weights, and prints a table as Markdown.

    verify_random.py --llama-server PATH --verify-model PATH [--only TEXT] [--tier NAME]

For each architecture, tensor type and kind of head a model is written, and llama.cpp's server is started with it, on the
CPU. Its template and tokenizer make prompts, and it continues them greedily. Then the example `verify_model` asks the
engine for the same: prompts, token ids, the log-probabilities by teacher forcing, and the token loop.

llama.cpp on CPUs rounds what it multiplies with weights of blocks to 8 bits, and with BF16 weights to BF16. So there the
rule is the one for 8 bits: the same choice wherever its margin is over 0.5, and a mean difference of at most 0.05. With F32
and F16 it is a margin of 0.1 and a mean of 0.01.
"""

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from gguf import GGMLQuantizationType as Type
from make_random_model import SHAPES, TYPES, write_model

START_TIMEOUT_S = 120
STEPS = 12
EXACT_TYPES = (Type.F32, Type.F16)

TOPICS = ["the sea", "Zürich", "prime numbers", "咖啡", "a = [1, 2, 3]", "WebGPU", "rain 🌧", "an old clock"]
CASES = {
    "short": [{"role": "user", "content": "Hello! What is the sea?"}],
    # Longer than a split of the KV cache, which is 256 positions.
    "long": [
        {"role": "system", "content": "You are brief."},
        {"role": "user", "content": "List:\n" + "\n".join(f"{n}. Tell me about {TOPICS[n % 8]}." for n in range(30))},
        {"role": "assistant", "content": "I can't."},
        {"role": "user", "content": "Why?"},
    ],
}


class LlamaServer:
    """A server of llama.cpp with one model."""

    def __init__(self, program, model):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.log = tempfile.TemporaryFile()
        options = ["--device", "none", "-fa", "off", "-c", "2048", "-np", "1", "--no-warmup", "--jinja"]
        options += ["--host", "127.0.0.1", "--port", str(port)]
        self.process = subprocess.Popen([program, "-m", model, *options], stdout=self.log, stderr=self.log)

    def __enter__(self):
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/health", timeout=5).close()
                return self
            except (urllib.error.URLError, OSError):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.__exit__()
                    self.log.seek(0)
                    sys.exit(f"error: llama.cpp's server does not start:\n{self.log.read().decode()[-2000:]}")
                time.sleep(0.2)

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def ask(self, path, **body):
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            sys.exit(f"error: llama.cpp's server fails at {path}: {error.read().decode()}")

    def golden_case(self, name, messages):
        """A case as the example `verify_model` reads it."""
        prompt = self.ask("/apply-template", messages=messages)["prompt"]
        ids = self.ask("/tokenize", content=prompt, add_special=False, parse_special=True)["tokens"]
        answer = self.ask(
            "/completion", prompt=ids, n_predict=STEPS, n_probs=5, temperature=0, ignore_eos=True, cache_prompt=False
        )
        steps = []
        for step in answer["completion_probabilities"]:
            top = [[token["id"], token["logprob"]] for token in step["top_logprobs"]]
            steps.append({"id": step["id"], "f32": top, "logprob_f32": step["logprob"]})
        return {"name": name, "messages": messages, "prompt": prompt, "prompt_ids": ids, "steps": steps}


def compare(arguments, folder, architecture, tensor_type, tied):
    """Prints a row; returns whether the engine does what llama.cpp does."""
    model = folder / "random.gguf"
    shape = write_model(model, architecture, tensor_type, tied)
    with LlamaServer(arguments.llama_server, model) as server:
        cases = [server.golden_case(name, messages) for name, messages in CASES.items()]
    golden = folder / "golden.json"
    golden.write_text(json.dumps(cases))
    command = [arguments.verify_model, "--model", model, "--golden", golden, "--json"]
    command += ["--tier", arguments.tier] if arguments.tier else []
    command += [] if tensor_type in EXACT_TYPES else ["--rounded"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    model.unlink()
    if not done.stdout:
        sys.exit(f"error: verify_model fails:\n{done.stderr.decode()[-2000:]}")
    outcomes = json.loads(done.stdout)

    total = lambda key: sum(outcome[key] for outcome in outcomes)
    same = all(outcome["prompt_is_same"] and outcome["ids_are_same"] for outcome in outcomes)
    passed = all(outcome["passed"] for outcome in outcomes)
    margins = sorted(step["f32"][0][1] - step["f32"][1][1] for case in cases for step in case["steps"])
    columns = [
        architecture,
        f"{shape.hidden}, {shape.heads}/{shape.kv_heads} × {shape.head_dim}, {shape.feed_forward}",
        tensor_type.name,
        "tied" if tied else "own",
        f"{total('tokens')}",
        "same" if same else "DIFFER",
        f"{total('decided_steps') - total('wrong_choices')} of {total('decided_steps')}",
        f"{max(outcome['mean_difference'] for outcome in outcomes):.4f}",
        f"{max(outcome['largest_difference'] for outcome in outcomes):.3f}",
        f"{total('same_tokens')} of {total('steps')}",
        f"{margins[len(margins) // 2]:.2f}",
        "ok" if passed else "FAILED",
    ]
    print("|", " | ".join(columns), "|", flush=True)
    return passed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llama-server", required=True, help="the program `llama-server`")
    parser.add_argument("--verify-model", required=True, help="the example `verify_model`, built")
    parser.add_argument("--only", default="", help='rows that contain this: "qwen3 Q4_K tied" for instance')
    parser.add_argument("--tier")
    arguments = parser.parse_args()

    print("| model | width, heads, feed-forward | type | head | tokens | prompts | same choice | mean | largest ", end="")
    print("| token loop | median margin | |")
    print("| --- | --- | --- | --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | --- |")
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="qwisp-random-") as folder:
        for architecture in SHAPES:
            for tensor_type in TYPES:
                for tied in (True, False):
                    if arguments.only in f"{architecture} {tensor_type.name} {'tied' if tied else 'own'}":
                        outcomes.append(compare(arguments, Path(folder), architecture, tensor_type, tied))
    print(f"\n{sum(outcomes)} passed, {len(outcomes) - sum(outcomes)} failed")
    sys.exit(0 if outcomes and all(outcomes) else 1)


if __name__ == "__main__":
    main()
