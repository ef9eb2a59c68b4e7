"""PSMNet, the stereo teacher, as a Keras network that runs the authors' checkpoints."""
