package gauge

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// here is this machine.
func here() Machine {
	m := Machine{CPU: "unknown processor", Cores: runtime.NumCPU(), Go: runtime.Version()}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.Kernel = unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:]) + " " + unix.ByteSliceToString(u.Machine[:])
	}
	// proc_cpuinfo(5): the names differ between architectures, and some have none.
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(line, ":")
			if key = strings.TrimSpace(key); key == "model name" || key == "Model" {
				m.CPU = strings.TrimSpace(value)
				break
			}
		}
	}
	return m
}

// notes say what this machine does to the figures.
func notes() []string {
	var said []string
	cores := runtime.NumCPU()
	if cores == 1 {
		said = append(said, "There is one core: the two processes take turns on it, and no figure here shows what two cores would.")
	}
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return said
	}
	load, err := strconv.ParseFloat(strings.Fields(string(text) + " ")[0], 64)
	if err == nil && load > float64(cores)*0.75 {
		said = append(said, fmt.Sprintf("The machine was busy before: on average %.1f processes wanted to run, and it has %s. A busy machine's figures spread, and a ratio may be off.", load, coresOf(cores)))
	}
	return said
}

func coresOf(n int) string {
	if n == 1 {
		return "1 core"
	}
	return fmt.Sprintf("%d cores", n)
}
