package pin

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"debug/macho"
	"encoding/hex"
	"fmt"
	"io"
	"os"
)

// Sum is the SHA-256 of a file, in hex, and its size.
func Sum(path string) (string, int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = file.Close() }()
	hash := sha256.New()
	size, err := io.Copy(hash, file)
	if err != nil {
		return "", 0, fmt.Errorf("read %s: %w", path, err)
	}
	return hex.EncodeToString(hash.Sum(nil)), size, nil
}

// Platform tells by its first bytes where a file can run: GOOS/GOARCH,
// [AnyPlatform] for a script, "" where that cannot be told.
func Platform(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	head := make([]byte, 64)
	n, err := io.ReadFull(file, head)
	if err != nil && n == 0 {
		return "", nil //nolint:nilerr // an empty file runs nowhere, and says nothing
	}
	switch head = head[:n]; {
	case bytes.HasPrefix(head, []byte("#!")):
		return AnyPlatform, nil
	case bytes.HasPrefix(head, []byte(elf.ELFMAG)):
		return elfPlatform(head), nil
	case len(head) >= 8 && isMachO(head):
		return machoPlatform(head), nil
	case bytes.HasPrefix(head, []byte("MZ")):
		return "windows", nil
	}
	return "", nil
}

var elfSystems = map[elf.OSABI]string{
	elf.ELFOSABI_NONE: "linux", elf.ELFOSABI_LINUX: "linux", elf.ELFOSABI_FREEBSD: "freebsd",
	elf.ELFOSABI_NETBSD: "netbsd", elf.ELFOSABI_OPENBSD: "openbsd",
}

var elfMachines = map[elf.Machine]string{
	elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64", elf.EM_386: "386", elf.EM_ARM: "arm", elf.EM_RISCV: "riscv64",
	elf.EM_S390: "s390x", elf.EM_PPC64: "ppc64", elf.EM_LOONGARCH: "loong64",
}

// elfPlatform reads an ELF header, of which 20 bytes are enough.
func elfPlatform(head []byte) string {
	if len(head) < 20 {
		return ""
	}
	big := elf.Data(head[elf.EI_DATA]) == elf.ELFDATA2MSB
	number := uint16(head[18]) | uint16(head[19])<<8
	if big {
		number = uint16(head[18])<<8 | uint16(head[19])
	}
	system, machine := elfSystems[elf.OSABI(head[elf.EI_OSABI])], elfMachines[elf.Machine(number)]
	if machine == "ppc64" && !big {
		machine = "ppc64le"
	}
	if system == "" || machine == "" {
		return ""
	}
	return system + "/" + machine
}

func isMachO(head []byte) bool {
	return head[0] == 0xcf && head[1] == 0xfa && head[2] == 0xed && head[3] == 0xfe // 64 bits, little-endian
}

func machoPlatform(head []byte) string {
	cpu := uint32(head[4]) | uint32(head[5])<<8 | uint32(head[6])<<16 | uint32(head[7])<<24
	switch macho.Cpu(cpu) { //nolint:exhaustive // Go builds for no other
	case macho.CpuAmd64:
		return "darwin/amd64"
	case macho.CpuArm64:
		return "darwin/arm64"
	}
	return ""
}

// Runs tells whether a file for that platform can run here; one of which that
// cannot be told is given the chance.
func Runs(platform string) bool { return platform == "" || platform == AnyPlatform || platform == Here }
