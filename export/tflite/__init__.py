"""From a trained network to a `.tflite` file, of one decoder size or of all."""
