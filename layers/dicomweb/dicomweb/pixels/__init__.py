"""Pixels: decoding, encoding and transcoding of frames. The only place that knows numpy, PIL and the codecs."""
