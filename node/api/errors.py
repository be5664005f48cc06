"""What the API answers where it cannot do what was asked: `{"error": {"code", "message"}}` (Spec 6 §7)."""

from protocol.errors import CallerError, DiskFullError, KassiberError, WorldError

STATUS = {
    "bad_request": 400,
    "unauthorised": 401,
    "not_found": 404,
    "method_not_allowed": 405,
    "too_slow": 408,
    "too_large": 413,
    "headers_too_large": 431,
    "refused": 422,
    "internal": 500,
    "unavailable": 503,
    "timeout": 504,
    "disk_full": 507,
}


class ApiError(KassiberError):
    """A reply that is not a success; the message is for a person, the code for a program."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    @property
    def status(self) -> int:
        """HTTP's status code."""
        return STATUS.get(self.code, 500)


def from_exception(error: Exception) -> ApiError | None:
    """As the API says it; nil for what is our own fault, which is logged and not told."""
    match error:
        case ApiError():
            return error
        case DiskFullError():
            return ApiError("disk_full", str(error) or "The disk is full. Free some space and try again.")
        case CallerError():
            return ApiError("refused", str(error))
        case WorldError():
            return ApiError("unavailable", str(error) or "That cannot be done now. Try again later.")
        case _:
            return None
