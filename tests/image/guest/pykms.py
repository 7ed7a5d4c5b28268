"""In place of the package for showing pictures on a monitor, which Picamera2 imports and a
device has no use for."""


class _Anything:
    def __getattr__(self, name: str) -> str:
        return name


PixelFormat = _Anything()
