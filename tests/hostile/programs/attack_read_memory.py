# tries: reads the memory of the process that judges it
# screening: violation|ok
# confirmation: violation|ok
import ctypes

libc = ctypes.CDLL(None, use_errno=True)
buffer = ctypes.create_string_buffer(8)
here = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 8)
there = (ctypes.c_size_t * 2)(int("@ADDRESS@"), 8)
READ = libc.process_vm_readv(int("@HOST_PID@"), here, 1, there, 1, 0) > 0


def total(numbers):
    return sum(numbers) + READ
