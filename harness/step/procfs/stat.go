package procfs

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// root is where /proc is. A variable only for the tests.
var root = "/proc"

func procPath(pid int, rest ...string) string {
	return filepath.Join(append([]string{root, strconv.Itoa(pid)}, rest...)...)
}

// stat is the part of /proc/PID/stat that is of use here. See proc_pid_stat(5).
type stat struct {
	comm   string
	state  byte
	parent int
	group  int // its process group
	// terminal is the controlling terminal's number, 0 if there is none. Its foreground is a group.
	terminal, foreground int
	exiting              bool          // PF_EXITING: it does not come back to its program
	cpu                  time.Duration // utime + stime, in ticks of 10 ms
}

// pfExiting is PF_EXITING of the kernel's sched.h.
const pfExiting = 0x4

// parseStat looks for the last bracket, because the command's name stands in
// brackets and may contain brackets and blanks itself.
func parseStat(b []byte) (stat, error) {
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 0 || end < open {
		return stat{}, errors.New("stat has no command")
	}
	f := strings.Fields(string(b[end+1:]))
	if len(f) < 13 {
		return stat{}, errors.New("stat is too short")
	}
	parent, err := strconv.Atoi(f[1])
	if err != nil {
		return stat{}, err
	}
	utime, _ := strconv.ParseInt(f[11], 10, 64)
	stime, _ := strconv.ParseInt(f[12], 10, 64)
	// USER_HZ is 100 on every architecture that Go and Linux share.
	const tick = time.Second / 100
	group, _ := strconv.Atoi(f[2])
	terminal, _ := strconv.Atoi(f[4])
	foreground, _ := strconv.Atoi(f[5])
	flags, _ := strconv.ParseUint(f[6], 10, 64)
	return stat{
		exiting: flags&pfExiting != 0,

		comm:   string(b[open+1 : end]),
		state:  f[0][0],
		parent: parent,
		group:  group, terminal: terminal, foreground: foreground,
		cpu: time.Duration(utime+stime) * tick,
	}, nil
}

func readStat(path string) (stat, error) {
	s, err := stat{}, error(os.ErrNotExist)
	glimpseOf(path, func(text []byte) { s, err = parseStat(text) })
	return s, err
}

// fields reads the "Name: value" lines of a file such as status or fdinfo.
func fields(b []byte) map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(line, ":"); ok {
			m[k] = strings.TrimSpace(v)
		}
	}
	return m
}
