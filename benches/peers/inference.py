"""A lone window of the published network in onnxruntime, f32: the peer of `benches/inference.rs`.

Five frames in, the map of the middle one out. Everything is batched: the nine stages over the five
frames, features once per frame, the alignment over the four neighbours; gates and all weights are
constants of the graph, and onnxruntime optimises it as far as it can (`ORT_ENABLE_ALL`). What has
more than one good form is measured in each, and the fastest counts:

    data step     one product with the dense matrix, or two with its separable factor
    threshold     `Shrink`, or `x - clip(x)`

It needs no PyTorch:

    python -m venv peer && peer/bin/pip install onnx onnxruntime numpy

    peer/bin/python inference.py                  median ms for 1 and 2 threads, every variant
    peer/bin/python inference.py --peak 100 190   GFLOP/s of 1 and 2 threads: prints shares of them
    peer/bin/python inference.py --golden F       checks the map against golden tensors
"""

import argparse
import math
import statistics
import sys
import time

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import network
from network import BLOCKS, C, CELLS, FRAME, SIDE, STAGES, WINDOW

CENTRE = 2
NEIGHBOURS = (0, 1, 3, 4)
# `DeformConv` came with 19.
OPSET, IR_VERSION = 19, 9
# Multiply-adds by the direct algorithm, as the Rust bench counts them: the separable data step, and
# no initial product.
STAGE = 9 * (C + C * C) + 9 * (C * C + C) + 2 * SIDE
PAIR = 2 * 2 * 9 + 2 * (9 * C * 18 + 9 * C * C) + 9 * C
FRAME_WORK = STAGES * STAGE + 9 * C + C * C // 2
TAIL = 9 * (WINDOW * C + 2 * BLOCKS * C * C + C)
FLOP = 2 * CELLS * (WINDOW * FRAME_WORK + 4 * PAIR + TAIL)
VARIANTS = [(data, threshold) for data in ("dense", "separable") for threshold in ("shrink", "clip")]


def shapes():
    """Names and shapes of all parameters, with row sums for the position code's matrix."""
    out = network.shapes()
    del out["TDDA.mlp.weight"]
    return out | {"TDDA.mlp.weight.rowsum": (CELLS,)}


def draw(generator):
    """Random weights of sensible size; timing hardly depends on their values."""
    out = {}
    for name, shape in shapes().items():
        if name.endswith("lambda_step"):
            value = np.full(shape, 0.1)
        elif name.endswith("soft_thr"):
            value = np.full(shape, 0.01)
        elif name.endswith("bias"):
            value = np.zeros(shape)
        else:
            value = generator.standard_normal(shape) / math.sqrt(math.prod(shape[1:]))
            if "conv_offset" in name:
                value = 0.3 * value
        out[name] = value.astype(np.float32)
    return out


def response():
    """One axis of the observation matrix, (11, 33): pixel-integrated Gaussian, sigma 0.5 px."""
    def edge(pixel, cell, shift):
        return math.erf((pixel + shift - (cell - 1) / 3) / (math.sqrt(2) * 0.5))

    return np.array([[0.5 * (edge(p, c, 0.5) - edge(p, c, -0.5)) for c in range(SIDE)]
                     for p in range(FRAME)])


class Graph:
    """An ONNX graph under construction; values go by name."""

    def __init__(self, weights, qinit, data, threshold):
        self.weights, self.qinit = weights, qinit
        self.data, self.data_step = data, getattr(self, data)
        self.threshold = getattr(self, threshold)
        self.nodes, self.constants = [], []

    def op(self, kind, *inputs, **attributes):
        out = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [out], **attributes))
        return out

    def constant(self, value, dtype=np.float32):
        name = f"c{len(self.constants)}"
        value = np.ascontiguousarray(value, dtype=dtype)
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def reshape(self, x, *shape):
        return self.op("Reshape", x, self.constant(shape, np.int64))

    def take(self, x, *items):
        return self.op("Gather", x, self.constant(items, np.int64), axis=0)

    def conv(self, x, name, kernel=None):
        """A 3x3 or 1x1 convolution; stage kernels are bare tensors, others layers."""
        w = self.weights
        kernel = w.get(name, w.get(f"{name}.weight")) if kernel is None else kernel
        inputs = [x, self.constant(kernel)]
        if f"{name}.bias" in w:
            inputs.append(self.constant(w[f"{name}.bias"]))
        side = kernel.shape[-1]
        return self.op("Conv", *inputs, kernel_shape=[side] * 2, pads=[side // 2] * 4)

    def dense(self, h, back, rho):
        flat = self.op("MatMul", self.reshape(h, WINDOW, CELLS), self.gram)
        return self.descend(h, self.reshape(flat, WINDOW, 1, SIDE, SIDE), back, rho)

    def separable(self, h, back, rho):
        half = self.op("MatMul", h, self.gram)
        return self.descend(h, self.op("MatMul", self.gram, half), back, rho)

    def descend(self, h, seen, back, rho):
        step = self.op("Mul", self.op("Sub", seen, back), self.constant(rho))
        return self.op("Sub", h, step)

    def shrink(self, x, theta):
        return self.op("Shrink", x, bias=theta, lambd=theta)

    def clip(self, x, theta):
        limits = self.constant(np.float32(-theta)), self.constant(np.float32(theta))
        return self.op("Sub", x, self.op("Clip", x, *limits))

    def stage(self, k, h, back):
        x = self.data_step(h, back, self.weights[f"fcs.{k}.lambda_step"])
        x = self.op("Relu", self.conv(x, f"fcs.{k}.conv1_forward"))
        x = self.conv(x, f"fcs.{k}.conv2_forward")
        x = self.threshold(x, float(self.weights[f"fcs.{k}.soft_thr"][0]))
        x = self.op("Relu", self.conv(x, f"fcs.{k}.conv1_backward"))
        return self.conv(x, f"fcs.{k}.conv2_backward")

    def deform(self, x, guide, name):
        # Channels of the offsets interleave row and column per tap, as the authors' do.
        offsets = self.conv(guide, f"TDDA.{name}.conv_offset")
        kernel = self.constant(self.weights[f"TDDA.{name}.weight"])
        return self.op("DeformConv", x, kernel, offsets, kernel_shape=[3, 3], pads=[1] * 4)

    def align(self, coded):
        feature = self.op("Relu", self.conv(coded, "TDDA.feat_extract.0.conv"))
        reference = self.take(feature, *NEIGHBOURS)
        a = self.conv(self.take(feature, CENTRE), "TDDA.feat_aggregate.conv0_s")
        a = self.op("Expand", a, self.constant((4, C // 2, SIDE, SIDE), np.int64))
        b = self.conv(reference, "TDDA.feat_aggregate.conv1_s")
        joined = self.op("Concat", a, b, axis=1)
        axis = self.constant([1], np.int64)
        stats = self.op("Concat", self.op("ReduceMean", joined, axis),
                        self.op("ReduceMax", joined, axis), axis=1)
        gate = self.op("Sigmoid", self.conv(stats, "TDDA.feat_aggregate.conv_squeeze"))
        one, two = [self.op("Gather", gate, self.constant([part], np.int64), axis=1)
                    for part in (0, 1)]
        guide = self.op("Concat", self.op("Mul", a, one), self.op("Mul", b, two), axis=1)
        first = self.deform(reference, guide, "align_1")
        return self.conv(self.deform(first, first, "align_2"), "TDDA.conv")

    def tail(self, coded, aligned):
        # The centre comes last instead of in the middle: so does its slice of the kernel.
        stack = self.op("Concat", self.reshape(aligned, 1, 4, SIDE, SIDE),
                        self.take(coded, CENTRE), axis=1)
        kernel = self.weights["TDDA.tail_conv.0.conv.weight"][:, [*NEIGHBOURS, CENTRE]]
        x = self.op("Relu", self.conv(stack, "TDDA.tail_conv.0.conv", kernel))
        for block in range(BLOCKS):
            y = self.op("Relu", self.conv(x, f"TDDA.tail_conv.1.{block}.conv1"))
            x = self.op("Add", x, self.conv(y, f"TDDA.tail_conv.1.{block}.conv2"))
        return self.conv(x, "TDDA.tail_conv.2")

    def gates(self):
        times = np.arange(WINDOW)[:, None] / 20
        code = times * self.weights["TDDA.mlp.weight.rowsum"] + self.weights["TDDA.mlp.bias"]
        return (1 / (1 + np.exp(-code))).reshape(WINDOW, 1, SIDE, SIDE)

    def build(self):
        axis = response()
        gram = axis.T @ axis
        self.gram = self.constant(np.kron(gram, gram) if self.data == "dense" else gram)
        h = self.op("MatMul", "frames", self.constant(self.qinit.T))
        h = self.reshape(h, WINDOW, 1, SIDE, SIDE)
        back = self.op("MatMul", "frames", self.constant(np.kron(axis, axis)))
        back = self.reshape(back, WINDOW, 1, SIDE, SIDE)
        for k in range(STAGES):
            h = self.stage(k, h, back)
        coded = self.op("Mul", h, self.constant(self.gates()))
        out = self.tail(coded, self.align(coded))
        value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        graph = helper.make_graph(self.nodes, "window", [value("frames", (WINDOW, FRAME * FRAME))],
                                  [value(out, (1, 1, SIDE, SIDE))], self.constants)
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION)
        return model.SerializeToString()


def session(model, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def read_golden(path):
    """Tensors of a safetensors file of f32."""
    tensors = network.read_safetensors(path)
    return {name: np.frombuffer(data, dtype="<f4").reshape(shape) for name, shape, data in tensors}


def check(path):
    """Relative error of the first window's map, whose times are those of its frames: 0 to 4."""
    golden = read_golden(path)
    weights = {name: golden.get(f"weight.{name}") for name in shapes()}
    if weights["TDDA.mlp.weight.rowsum"] is None:
        weights["TDDA.mlp.weight.rowsum"] = golden["weight.TDDA.mlp.weight"].sum(1)
    frames, expected = golden["input.y"][:WINDOW], golden["out.final"][0].reshape(-1)
    good = True
    for data, threshold in VARIANTS:
        model = Graph(weights, golden["qinit"], data, threshold).build()
        (found,) = session(model, 1).run(None, {"frames": frames})
        error = np.linalg.norm(found.reshape(-1) - expected) / np.linalg.norm(expected)
        good &= bool(error <= 1e-4)
        print(f"golden, {data}+{threshold}: out.final {error:.1e}: "
              f"{'pass' if error <= 1e-4 else 'FAIL'}")
    return good


def median_run(model, threads, runs):
    """Median and least seconds of a window."""
    generator = np.random.default_rng(2)
    frames = (200 * generator.random((WINDOW, FRAME * FRAME))).astype(np.float32)
    run = session(model, threads).run
    seconds = []
    for at in range(runs + 5):
        started = time.perf_counter()
        run(None, {"frames": frames})
        if at >= 5:
            seconds.append(time.perf_counter() - started)
    return statistics.median(seconds), min(seconds)


def measure(args):
    print(f"peer: onnxruntime {onnxruntime.__version__}, {FLOP / 1e9:.2f} GFLOP a window")
    generator = np.random.default_rng(1)
    weights = draw(generator)
    qinit = 0.1 * generator.standard_normal((CELLS, FRAME * FRAME))
    variants = [v for v in VARIANTS if args.variant in (None, "+".join(v))]
    models = {"+".join(v): Graph(weights, qinit, *v).build() for v in variants}
    for at, threads in enumerate(args.threads):
        best = None
        for name, model in models.items():
            seconds, least = median_run(model, threads, args.runs)
            rate = FLOP / seconds / 1e9
            share = f", {100 * rate / args.peak[at]:.1f} % of peak" if at < len(args.peak) else ""
            print(f"  threads {threads} {name:<16} median {1e3 * seconds:7.2f} ms, fastest {1e3 * least:7.2f} ms, "
                  f"{rate:.1f} GFLOP/s{share}", flush=True)
            best = min(best or (seconds, name), (seconds, name))
        print(f"peer threads {threads}: {1e3 * best[0]:.2f} ms ({best[1]})", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--runs", type=int, default=31)
    parser.add_argument("--variant", choices=["+".join(v) for v in VARIANTS])
    parser.add_argument("--peak", type=float, nargs="*", default=[], help="GFLOP/s per --threads")
    parser.add_argument("--golden", help="safetensors file of golden tensors to check against")
    args = parser.parse_args()
    if args.golden:
        return 0 if check(args.golden) else 1
    measure(args)
    return 0


if __name__ == "__main__":
    sys.exit(main())
