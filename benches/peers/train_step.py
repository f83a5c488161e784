"""The training step of the published network in PyTorch: the peer of `benches/train_step.rs`.

One trajectory of 20 frames, 16 windows; forward with the symmetric branch, the released loss,
backward, Adam. Everything is batched: the nine stages over frames, features once per frame, the
alignment over all 64 pairs of centre and neighbour, the tail over windows. Deformable sampling is
either `grid_sample` or a gather of the four neighbours; `torch.compile` is used where it works.

    python train_step.py                        median seconds for 1 and 2 threads, every variant
    python train_step.py --peak 100 190         GFLOP/s of 1 and 2 threads: prints shares of them
    python train_step.py --golden F             checks outputs and gradients against golden tensors
"""

import argparse
import math
import statistics
import sys
import time

import torch
import torch.nn.functional as F

from network import BLOCKS, C, CELLS, FRAME, SIDE, STAGES, read_safetensors, shapes

FRAMES = 20
NEIGHBOURS = (-2, -1, 1, 2)
WINDOWS = FRAMES - 4
# Multiply-adds of the forward pass by the direct algorithm, as the Rust bench counts them.
STAGE = 9 * (C + C * C) + 2 * 9 * (C * C + C) + 2 * SIDE
PAIR = 2 * 2 * 9 + 2 * (9 * C * 18 + 9 * C * C) + 9 * C
FRAME_WORK = STAGES * STAGE + 9 * C + 2 * C * C // 2
WINDOW = 4 * PAIR + 9 * (5 * C + 2 * BLOCKS * C * C + C)
MULTIPLY_ADDS = CELLS * (FRAMES * FRAME_WORK + WINDOWS * WINDOW)
FLOP = 6 * MULTIPLY_ADDS


def draw(generator):
    """Random weights of sensible size; timing does not depend on their values."""
    out = {}
    for name, shape in shapes().items():
        if name.endswith("lambda_step"):
            value = torch.full(shape, 0.1)
        elif name.endswith("soft_thr"):
            value = torch.full(shape, 0.01)
        elif name.endswith("bias"):
            value = torch.zeros(shape)
        else:
            fan_in = math.prod(shape[1:])
            value = torch.randn(shape, generator=generator) / math.sqrt(fan_in)
            if "conv_offset" in name:
                value = 0.3 * value
        out[name] = value
    return out


def response():
    """One axis of the observation matrix, (11, 33): pixel-integrated Gaussian, sigma 0.5 px."""
    pixel = torch.arange(FRAME, dtype=torch.float64)[:, None]
    cell = (torch.arange(SIDE, dtype=torch.float64)[None, :] - 1) / 3
    root = math.sqrt(2) * 0.5
    edge = lambda shift: torch.erf((pixel + shift - cell) / root)
    return (0.5 * (edge(0.5) - edge(-0.5))).float()


def taps():
    """Row and column of tap k over the map, without offset: (9, 33, 33) each."""
    k = torch.arange(9)
    place = torch.arange(SIDE)
    row = (k // 3 - 1)[:, None, None] + place[None, :, None]
    column = (k % 3 - 1)[:, None, None] + place[None, None, :]
    return row.expand(9, SIDE, SIDE).float(), column.expand(9, SIDE, SIDE).float()


class Network:
    """The forward pass over constant operators."""

    def __init__(self, qinit, sampling):
        axis = response()
        self.axis, self.gram, self.qinit = axis, axis.T @ axis, qinit
        self.rows, self.columns = taps()
        self.sample = {"grid": self.by_grid, "gather": self.by_gather}[sampling]
        centres = torch.arange(2, FRAMES - 2)
        self.centre = centres.repeat_interleave(4)
        self.neighbour = (centres[:, None] + torch.tensor(NEIGHBOURS)[None, :]).reshape(-1)

    def forward(self, p, frames):
        """Answers (16, 1089), aligned maps (64, 1089), stage outputs and symmetric residuals."""
        h = (frames @ self.qinit.T).view(-1, 1, SIDE, SIDE)
        image = frames.view(-1, FRAME, FRAME)
        back = (self.axis.T @ image @ self.axis)[:, None]
        stages, symmetric = [], []
        for k in range(STAGES):
            h, residual = self.stage(p, k, h, back)
            stages.append(h)
            symmetric.append(residual)
        times = torch.arange(FRAMES, dtype=torch.float32)[:, None] / 20
        code = times.expand(FRAMES, CELLS)
        gate = torch.sigmoid(F.linear(code, p["TDDA.mlp.weight"], p["TDDA.mlp.bias"]))
        coded = h * gate.view(-1, 1, SIDE, SIDE)
        aligned = self.align(p, coded)
        by_window = aligned.view(WINDOWS, 4, SIDE, SIDE)
        centre = coded[2 : FRAMES - 2]
        stack = torch.cat((by_window[:, :2], centre, by_window[:, 2:]), 1)
        return self.tail(p, stack), aligned, stages, symmetric

    def stage(self, p, k, h, back):
        name = lambda part: p[f"fcs.{k}.{part}"]
        r = h - name("lambda_step") * (self.gram @ h @ self.gram - back)
        f = F.relu(F.conv2d(r, name("conv1_forward"), padding=1))
        f = F.conv2d(f, name("conv2_forward"), padding=1)

        def inverse(x):
            x = F.relu(F.conv2d(x, name("conv1_backward"), padding=1))
            return F.conv2d(x, name("conv2_backward"), padding=1)

        shrunk = torch.sign(f) * F.relu(f.abs() - name("soft_thr"))
        return inverse(shrunk), inverse(f) - r

    def align(self, p, coded):
        def conv(x, name, padding=1):
            return F.conv2d(x, p[f"TDDA.{name}.weight"], p[f"TDDA.{name}.bias"], padding=padding)

        feature = F.relu(conv(coded, "feat_extract.0.conv"))
        a = conv(feature, "feat_aggregate.conv0_s", 0)[self.centre]
        b = conv(feature, "feat_aggregate.conv1_s", 0)[self.neighbour]
        joined = torch.cat((a, b), 1)
        stats = torch.cat((joined.mean(1, keepdim=True), joined.amax(1, keepdim=True)), 1)
        gate = torch.sigmoid(conv(stats, "feat_aggregate.conv_squeeze"))
        guide = torch.cat((a * gate[:, :1], b * gate[:, 1:]), 1)
        first = self.deform(feature[self.neighbour], conv(guide, "align_1.conv_offset"),
                            p["TDDA.align_1.weight"])
        second = self.deform(first, conv(first, "align_2.conv_offset"), p["TDDA.align_2.weight"])
        return conv(second, "conv")

    def deform(self, x, offsets, weight):
        pairs = x.shape[0]
        offsets = offsets.view(pairs, 9, 2, SIDE, SIDE)
        sampled = self.sample(x, self.rows + offsets[:, :, 0], self.columns + offsets[:, :, 1])
        # (pairs, 33·33, 9·C) times (9·C, C): the kernel with its tap before its channel.
        kernel = weight.permute(2, 3, 1, 0).reshape(9 * C, -1)
        return (sampled @ kernel).transpose(1, 2).reshape(pairs, -1, SIDE, SIDE)

    def by_grid(self, x, rows, columns):
        pairs = x.shape[0]
        scale = 2 / (SIDE - 1)
        grid = torch.stack((columns * scale - 1, rows * scale - 1), -1)
        grid = grid.view(pairs, 9 * SIDE, SIDE, 2)
        out = F.grid_sample(x, grid, padding_mode="zeros", align_corners=True)
        out = out.view(pairs, C, 9, CELLS)
        return out.permute(0, 3, 2, 1).reshape(pairs, CELLS, 9 * C)

    def by_gather(self, x, rows, columns):
        pairs, side = x.shape[0], SIDE + 2
        padded = F.pad(x, (1, 1, 1, 1)).permute(0, 2, 3, 1).reshape(-1, C)
        place = lambda v: v.view(pairs, 9, CELLS).transpose(1, 2)
        rows, columns = place(rows), place(columns)
        inside = (rows > -1) & (rows < SIDE) & (columns > -1) & (columns < SIDE)
        row, column = rows.floor().detach(), columns.floor().detach()
        # Inside, floor lies in -1..=32: its neighbours are within the padded map.
        first = row.clamp(-1, SIDE - 1).long() + 1
        second = column.clamp(-1, SIDE - 1).long() + 1
        down, right = rows - row, columns - column
        base = torch.arange(pairs)[:, None, None] * side * side + first * side + second
        mask = inside.float()
        out = 0
        for corner, weight in (
            (0, (1 - down) * (1 - right)),
            (1, (1 - down) * right),
            (side, down * (1 - right)),
            (side + 1, down * right),
        ):
            out = out + padded[base + corner] * (weight * mask)[..., None]
        return out.reshape(pairs, CELLS, 9 * C)

    def tail(self, p, x):
        def conv(x, name):
            bias = p.get(f"TDDA.tail_conv.{name}.bias")
            return F.conv2d(x, p[f"TDDA.tail_conv.{name}.weight"], bias, padding=1)

        x = F.relu(conv(x, "0.conv"))
        for block in range(BLOCKS):
            x = x + conv(F.relu(conv(x, f"1.{block}.conv1")), f"1.{block}.conv2")
        return conv(x, "2").view(-1, CELLS)

    def loss(self, p, frames, labels):
        """The released loss and the answers."""
        answer, aligned, stages, symmetric = self.forward(p, frames)
        constraint = sum(residual.square().mean() for residual in symmetric)
        align = (aligned - stages[-1][self.centre]).abs().sum()
        regression = (answer - labels).square().mean(1).sum()
        return 0.1 * constraint + 0.1 * align + regression, answer


def read_golden(path):
    """Tensors of a safetensors file of f32."""
    def tensor(shape, data):
        return torch.frombuffer(bytearray(data), dtype=torch.float32).reshape(shape)

    return {name: tensor(shape, data) for name, shape, data in read_safetensors(path)}


def check(path, sampling):
    """Largest relative error of answers, loss and gradients against golden tensors."""
    golden = read_golden(path)
    p = {}
    for name in shapes():
        value = golden.get(f"weight.{name}")
        if value is None:
            value = golden[f"weight.{name}.rowsum"][:, None].expand(CELLS, CELLS) / CELLS
        p[name] = value.clone().requires_grad_()
    network = Network(golden["qinit"], sampling)
    loss, answer = network.loss(p, golden["input.y"], golden["target.x"][2:-2])
    loss.backward()
    error = lambda a, b: float((a.detach() - b).norm() / b.norm())
    rows = [("out.final", error(answer, golden["out.final"]), 1e-4)]
    rows.append(("loss.total", error(loss.view(1), golden["loss.total"].view(1)), 1e-4))
    for name, value in p.items():
        expected = golden.get(f"grad.{name}")
        # The first stage's data step does nothing: its gradient is rounding.
        if expected is not None and name != "fcs.0.lambda_step":
            rows.append((f"grad.{name}", error(value.grad, expected), 5e-3))
    worst = max(rows, key=lambda row: row[1] / row[2])
    good = all(row[1] <= row[2] for row in rows)
    print(f"golden, {sampling}: {len(rows)} tensors, worst {worst[0]} {worst[1]:.1e}; "
          f"loss {rows[1][1]:.1e}: {'pass' if good else 'FAIL'}")
    return good


def median_step(sampling, compiled, steps):
    """Median seconds of a training step."""
    generator = torch.Generator().manual_seed(1)
    p = {name: value.requires_grad_() for name, value in draw(generator).items()}
    frames = 200 * torch.rand(FRAMES, FRAME * FRAME, generator=generator)
    labels = torch.zeros(WINDOWS, CELLS)
    labels[:, ::300] = 230.0
    network = Network(0.1 * torch.randn(CELLS, FRAME * FRAME, generator=generator), sampling)
    loss = lambda: network.loss(p, frames, labels)[0]
    loss = torch.compile(loss) if compiled else loss
    adam = torch.optim.Adam(p.values(), lr=1e-4, weight_decay=1e-5)
    seconds = []
    for step in range(steps + 2):
        started = time.perf_counter()
        adam.zero_grad(set_to_none=True)
        loss().backward()
        adam.step()
        if step >= 2:
            seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def measure(args):
    print(f"peer: torch {torch.__version__}, {FLOP / 1e9:.1f} GFLOP a step")
    variants = [("grid", False), ("gather", False), ("grid", True), ("gather", True)]
    if args.variant:
        name, _, compiled = args.variant.partition("+")
        variants = [(name, compiled == "compile")]
    for at, threads in enumerate(args.threads):
        torch.set_num_threads(threads)
        best = None
        for sampling, compiled in variants:
            name = sampling + ("+compile" if compiled else "")
            try:
                torch.compiler.reset()
                seconds = median_step(sampling, compiled, args.steps)
            except Exception as error:
                if not compiled:
                    raise
                print(f"  threads {threads} {name:<15} torch.compile does not work here: "
                      f"{type(error).__name__}")
                continue
            rate = FLOP / seconds / 1e9
            share = f", {100 * rate / args.peak[at]:.1f} % of peak" if at < len(args.peak) else ""
            print(f"  threads {threads} {name:<15} median {1e3 * seconds:8.1f} ms, "
                  f"{rate:.1f} GFLOP/s{share}", flush=True)
            best = min(best or (seconds, name), (seconds, name))
        print(f"peer threads {threads}: {1e3 * best[0]:.1f} ms ({best[1]})", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--steps", type=int, default=7)
    parser.add_argument("--variant", choices=["grid", "gather", "grid+compile", "gather+compile"])
    parser.add_argument("--peak", type=float, nargs="*", default=[], help="GFLOP/s per --threads")
    parser.add_argument("--golden", help="safetensors file of golden tensors to check against")
    args = parser.parse_args()
    if args.golden:
        results = [check(args.golden, sampling) for sampling in ("grid", "gather")]
        return 0 if all(results) else 1
    measure(args)
    return 0


if __name__ == "__main__":
    sys.exit(main())
