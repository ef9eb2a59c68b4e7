"""From a picture to metres and classes: the path that the evaluator and the device share."""
