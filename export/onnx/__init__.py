"""From a trained network to an ONNX file that TensorRT takes."""
