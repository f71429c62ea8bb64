/* Says whether the kernel started it in secure mode: "1" if it gained privilege by its file, else "0". */
#include <stdio.h>
#include <sys/auxv.h>

int main(void) {
	printf("%lu\n", getauxval(AT_SECURE));
	return 0;
}
