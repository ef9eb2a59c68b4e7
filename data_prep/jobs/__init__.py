"""One worker over many frames: on this machine or a cluster, resumed and shared out."""
