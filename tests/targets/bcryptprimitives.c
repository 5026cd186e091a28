/* A stand-in for a system library of Windows that Wine 8 lacks. Rust's standard library takes
 * random numbers from it. For tests under Wine only. */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID bytes, ULONG length);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T length)
{
    return SystemFunction036(bytes, (ULONG)length);
}
