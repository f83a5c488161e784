/* Start-up of a Cortex-M with a floating point unit, and semihosting. */
#include "board.h"

#include <stddef.h>

extern uint32_t data_start[], data_end[], data_image[], bss_start[], bss_end[];
extern uint32_t _stack_start[], _stack_end[], _stack_reserve[];

int main(void);
void reset(void);

/* Coprocessor access control, Armv7-M architecture reference manual B3.2.20. */
#define CPACR (*(volatile uint32_t *)0xE000ED88u)

static _Noreturn void fault(void) {
  put("fault\n");
  finish(1);
}

/* Stack, reset, non-maskable interrupt, four faults; nothing else is ever enabled. */
__attribute__((section(".vectors"), used)) static const void *const VECTORS[] = {
    _stack_start, (void *)reset, (void *)fault, (void *)fault,
    (void *)fault, (void *)fault, (void *)fault,
};

void reset(void) {
  CPACR |= 0xFu << 20;
  __asm__ volatile("dsb\n\tisb" ::: "memory");
  for (size_t i = 0; data_start + i < data_end; i++) {
    data_start[i] = data_image[i];
  }
  for (uint32_t *word = bss_start; word < bss_end; word++) {
    *word = 0;
  }
  paint_stack();
  finish(main());
}

/* Operations of the Arm semihosting specification. */
enum { SYS_OPEN = 0x01, SYS_WRITE = 0x05, SYS_EXIT_EXTENDED = 0x20 };
enum { MODE_WRITE = 4, APPLICATION_EXIT = 0x20026 };

static uintptr_t call(uint32_t operation, const uintptr_t *block) {
  register uintptr_t r0 __asm__("r0") = operation;
  register const uintptr_t *r1 __asm__("r1") = block;
  __asm__ volatile("bkpt 0xab" : "+r"(r0), "+r"(r1)::"memory");
  return r0;
}

void put(const char *text) {
  /* No handle is 0. */
  static uintptr_t console;
  if (console == 0) {
    console = call(SYS_OPEN, (const uintptr_t[]){(uintptr_t)":tt", MODE_WRITE, 3});
  }
  size_t length = 0;
  while (text[length] != '\0') {
    length++;
  }
  call(SYS_WRITE, (const uintptr_t[]){console, (uintptr_t)text, length});
}

void put_bits(uint64_t bits) {
  char text[18] = " ";
  for (size_t place = 16; place > 0; place--) {
    text[place] = "0123456789abcdef"[bits & 15];
    bits >>= 4;
  }
  put(text);
}

void put_number(double value) {
  char text[16];
  size_t first = sizeof text - 1;
  uint32_t thousandths = (uint32_t)((value < 0 ? -value : value) * 1000.0 + 0.5);
  text[first] = '\0';
  for (size_t digits = 0; digits < 4 || thousandths > 0; digits++) {
    if (digits == 3) {
      text[--first] = '.';
    }
    text[--first] = (char)('0' + thousandths % 10);
    thousandths /= 10;
  }
  put(value < 0 ? " -" : " ");
  put(text + first);
}

#define PAINT 0x5AFEC0DEu

void paint_stack(void) {
  const uint32_t *top;
  __asm__ volatile("mov %0, sp" : "=r"(top));
  for (volatile uint32_t *word = _stack_end; word < top; word++) {
    *word = PAINT;
  }
}

static void put_decimal(uint32_t number) {
  char text[12];
  size_t first = sizeof text - 1;
  text[first] = '\0';
  do {
    text[--first] = (char)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  put(" ");
  put(text + first);
}

void put_stack(void) {
  const volatile uint32_t *word = _stack_end;
  while (word < _stack_start && *word == PAINT) {
    word++;
  }
  put("stack");
  put_decimal((uint32_t)((uintptr_t)_stack_start - (uintptr_t)word));
  put_decimal((uint32_t)(uintptr_t)_stack_reserve);
  put("\n");
}

_Noreturn void finish(int status) {
  call(SYS_EXIT_EXTENDED, (const uintptr_t[]){APPLICATION_EXIT, (uintptr_t)status});
  for (;;) {
  }
}
