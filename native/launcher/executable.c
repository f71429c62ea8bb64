#define _GNU_SOURCE
#include "executable.h"

#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined __x86_64__
#define NATIVE_MACHINE EM_X86_64
#elif defined __aarch64__
#define NATIVE_MACHINE EM_AARCH64
#else
#error "mptcpize is for x86-64 and arm64"
#endif

/* Both of them are little-endian. */
#define NATIVE_DATA ELFDATA2LSB

/* Offsets come from the file; those beyond it read nothing, and pread(2) refuses those beyond all files. */
static size_t read_at(int fd, void *buffer, size_t size, uint64_t offset) {
	ssize_t length = pread(fd, buffer, size, (off_t)offset);
	return length > 0 ? length : 0;
}

static bool read_exactly(int fd, void *buffer, size_t size, uint64_t offset) {
	return read_at(fd, buffer, size, offset) == size;
}

/* PT_INTERP is what makes the kernel start a loader. Without one, position independent or not, nothing is preloaded. */
static void read_loader(int fd, const Elf64_Ehdr *header, struct executable *executable) {
	if (header->e_phentsize != sizeof(Elf64_Phdr)) return;
	for (uint64_t i = 0; i < header->e_phnum; i++) {
		Elf64_Phdr segment;
		if (!read_exactly(fd, &segment, sizeof segment, header->e_phoff + i * sizeof segment)) return;
		if (segment.p_type != PT_INTERP) continue;
		if (segment.p_filesz < 2 || segment.p_filesz > sizeof executable->loader) return;
		if (!read_exactly(fd, executable->loader, segment.p_filesz, segment.p_offset)) return;
		executable->loader[segment.p_filesz - 1] = '\0';
		executable->linkage = LINKAGE_DYNAMIC;
		return;
	}
}

/*
 * The version in Go's build information, in the form since Go 1.18 (debug/buildinfo): 14 bytes of magic, the size of a
 * pointer, flags; at 32 the length of the version and itself. Older forms have pointers in its place.
 */
static int go_minor_version(const unsigned char *information, size_t size) {
	enum { FLAGS_AT = 15, LENGTH_AT = 32, VERSION_AT = 33, INLINE_FLAG = 2 };
	if (size < VERSION_AT || memcmp(information, "\xff Go buildinf:", 14) != 0) return 0;
	if (!(information[FLAGS_AT] & INLINE_FLAG)) return 0;
	/* The length is a varint; a version of 128 bytes or more is none. */
	size_t length = information[LENGTH_AT];
	char version[128];
	if (length >= sizeof version || length > size - VERSION_AT) return 0;
	memcpy(version, information + VERSION_AT, length);
	version[length] = '\0';
	/* "go1.21.3", "go1.21rc1", "devel go1.22-5f7e3e9 Mon Jan …" */
	const char *number = strstr(version, "go1.");
	long minor = number ? strtol(number + 4, NULL, 10) : 0;
	return minor > 0 && minor < 10000 ? (int)minor : 0;
}

static void read_build_information(int fd, const Elf64_Shdr *section, struct executable *executable) {
	unsigned char information[33 + 128];
	size_t size = read_at(fd, information, sizeof information, section->sh_offset);
	executable->go_minor = go_minor_version(information, size);
}

/* The names of the sections: how many bytes were read, 0 for none. */
static size_t read_section_names(int fd, const Elf64_Ehdr *header, char *names, size_t capacity) {
	Elf64_Shdr section;
	if (header->e_shentsize != sizeof section || header->e_shstrndx >= header->e_shnum) return 0;
	if (!read_exactly(fd, &section, sizeof section, header->e_shoff + header->e_shstrndx * sizeof section)) return 0;
	return read_at(fd, names, section.sh_size < capacity ? section.sh_size : capacity, section.sh_offset);
}

/*
 * Go's linker leaves sections of its own in programs that are stripped, too: .go.buildinfo, which some builds leave
 * out, and .gopclntab, which GNU ld may merge into others. Without section headers a Go program is like any other.
 */
static void look_for_go(int fd, const Elf64_Ehdr *header, struct executable *executable) {
	static const char build_information[] = ".go.buildinfo", functions[] = ".gopclntab";
	char names[4096];
	size_t size = read_section_names(fd, header, names, sizeof names);
	const char *name = memmem(names, size, build_information, sizeof build_information);
	executable->go = name || memmem(names, size, functions, sizeof functions);
	for (uint64_t i = 0; name && i < header->e_shnum; i++) {
		Elf64_Shdr section;
		if (!read_exactly(fd, &section, sizeof section, header->e_shoff + i * sizeof section)) return;
		if (section.sh_name != (size_t)(name - names)) continue;
		read_build_information(fd, &section, executable);
		return;
	}
}

int read_executable(int fd, struct executable *executable) {
	Elf64_Ehdr header;
	executable->go = false;
	executable->go_minor = 0;
	executable->loader[0] = '\0';
	ssize_t size = pread(fd, &header, sizeof header, 0);
	if (size < 0) return -errno;
	if (size < (ssize_t)sizeof(Elf32_Ehdr) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return -ENOEXEC;
	/* e_machine is at the same place in both classes; x32 has the one of x86-64 and the class of 32 bits. */
	if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != NATIVE_DATA ||
	    header.e_machine != NATIVE_MACHINE) {
		executable->linkage = LINKAGE_FOREIGN;
		return 0;
	}
	if (size < (ssize_t)sizeof header) return -ENOEXEC;
	executable->linkage = LINKAGE_STATIC;
	read_loader(fd, &header, executable);
	look_for_go(fd, &header, executable);
	return 0;
}
