"""Checks ONNX files with the onnx package, shapes inferred; prints the problems as JSON: {path: text}."""
import json
import os
import sys

import onnx


def problem(path):
    try:
        onnx.checker.check_model(path, full_check=os.path.getsize(path) < 2**28)
    except Exception as error:
        return str(error)


print(json.dumps({path: problem(path) for path in sys.argv[1:]}))
