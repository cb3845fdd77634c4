# tries: reads memory that is not there
# screening: killed SIGSEGV
# confirmation: killed SIGSEGV
import ctypes


def total(numbers):
    return ctypes.string_at(1)
