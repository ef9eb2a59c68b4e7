"""From a trained network to an ONNX file that TensorRT takes, and what runs it on a Jetson."""
