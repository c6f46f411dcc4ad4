# Stands for GLib.
class Error(Exception):
    message: str
    domain: str
    code: int
    def matches(self, domain: int, code: int) -> bool: ...

class Bytes:
    @classmethod
    def new(cls, data: bytes | None) -> Bytes: ...
    def get_data(self) -> bytes | None: ...

class MainContext:
    @classmethod
    def new(cls) -> MainContext: ...
