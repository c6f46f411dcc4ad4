# Stands for GObject.
from typing import Callable

class GType: ...

class Object:
    def connect(self, detailed_signal: str, handler: Callable[..., object], *args: object) -> int: ...

class GInterface: ...
class GBoxed: ...

class GEnum(int):
    value_nick: str
    value_name: str

class GFlags(int):
    value_nicks: list[str]
    value_names: list[str]
