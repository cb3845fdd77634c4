# tries: loads a module or another kernel
# screening: violation|ok
# confirmation: violation|ok
import ctypes
import errno

libc = ctypes.CDLL(None, use_errno=True)
REACHED = 0
for number, arguments in ((313, (-1, b"", 0)), (175, (None, 0, b""))):
    libc.syscall(number, *arguments)
    REACHED += ctypes.get_errno() in (errno.EBADF, errno.EFAULT, errno.ENOEXEC, errno.EINVAL)


def total(numbers):
    return sum(numbers) + REACHED
