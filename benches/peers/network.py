"""The published network's sizes and files, for the peers."""

import json
import struct

SIDE, FRAME, STAGES, BLOCKS, C, WINDOW = 33, 11, 9, 5, 32, 5
CELLS = SIDE * SIDE


def shapes():
    """Names and shapes of all parameters, as in the authors' checkpoints."""
    out = {}
    for k in range(STAGES):
        out[f"fcs.{k}.lambda_step"] = (1,)
        out[f"fcs.{k}.soft_thr"] = (1,)
        out[f"fcs.{k}.conv1_forward"] = (C, 1, 3, 3)
        out[f"fcs.{k}.conv2_forward"] = (C, C, 3, 3)
        out[f"fcs.{k}.conv1_backward"] = (C, C, 3, 3)
        out[f"fcs.{k}.conv2_backward"] = (1, C, 3, 3)

    def layer(name, shape, bias=True):
        out[f"TDDA.{name}.weight"] = shape
        if bias:
            out[f"TDDA.{name}.bias"] = shape[:1]

    layer("mlp", (CELLS, CELLS))
    layer("feat_extract.0.conv", (C, 1, 3, 3))
    layer("feat_aggregate.conv0_s", (C // 2, C, 1, 1))
    layer("feat_aggregate.conv1_s", (C // 2, C, 1, 1))
    layer("feat_aggregate.conv_squeeze", (2, 2, 3, 3))
    for align in ("align_1", "align_2"):
        layer(align, (C, C, 3, 3), bias=False)
        layer(f"{align}.conv_offset", (18, C, 3, 3))
    layer("conv", (1, C, 3, 3))
    layer("tail_conv.0.conv", (C, WINDOW, 3, 3))
    for block in range(BLOCKS):
        layer(f"tail_conv.1.{block}.conv1", (C, C, 3, 3))
        layer(f"tail_conv.1.{block}.conv2", (C, C, 3, 3))
    layer("tail_conv.2", (1, C, 3, 3), bias=False)
    return out


def read_safetensors(path):
    """Name, shape and bytes of every tensor of a safetensors file."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    header.pop("__metadata__", None)
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        yield name, entry["shape"], data[start:end]
