"""The networks: graphs built from their specifications, and layers that Keras can load again."""

# Registers them: `keras.models.load_model` takes no class from a file's word for it.
import mtdepth.models.layers  # noqa: F401
