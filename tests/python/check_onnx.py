"""Checks an exported network and runs it: python check_onnx.py FOLDER MODEL.

Reads MODEL.onnx and MODEL.frames (f32, windows of 5 x 11 x 11) in FOLDER and writes each output of
the network to MODEL.<output> there, in f32. Fails where ONNX's own checker or its inference of
shapes objects.
"""

import sys
from pathlib import Path

import numpy
import onnx
import onnxruntime

at = lambda end: Path(sys.argv[1]) / f"{sys.argv[2]}.{end}"
onnx.checker.check_model(str(at("onnx")), full_check=True)
model = onnx.load(str(at("onnx")))
onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
session = onnxruntime.InferenceSession(str(at("onnx")), providers=["CPUExecutionProvider"])
frames = numpy.fromfile(at("frames"), numpy.float32).reshape(-1, 5, 11, 11)
names = [output.name for output in session.get_outputs()]
pieces = [session.run(names, {"frames": piece}) for piece in numpy.array_split(frames, len(frames) // 16)]
for name, values in zip(names, zip(*pieces)):
    numpy.concatenate(values).tofile(at(name))
versions = f"onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}"
print(f"{sys.argv[2]}: {len(model.graph.node)} nodes pass the checker ({versions})")
