/* What a program needs of a board: text and an exit status, by semihosting. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

/* Writes text to whoever runs the board. */
void put(const char *text);

/* Writes a space and 16 hexadecimal digits. */
void put_bits(uint64_t bits);

/* Writes a space and `value`, rounded to thousandths. */
void put_number(double value);

/* Paints the stack, so that put_stack can tell how deep it got. */
void paint_stack(void);

/* Writes a line `stack USED RESERVE`, bytes. */
void put_stack(void);

/* Ends the program. */
_Noreturn void finish(int status);

#endif
