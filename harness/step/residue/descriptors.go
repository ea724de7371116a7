package residue

import (
	"cmp"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Descriptors are the open descriptors of a process: number and what it is, as
// /proc/PID/fd shows it.
type Descriptors map[int]string

// OpenDescriptors returns those of this process. Descriptors that the Go runtime
// opens for itself are left out: epoll, eventfd, and files of the control groups.
func OpenDescriptors() Descriptors {
	open := Descriptors{}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return open
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		// The descriptor that read the folder is closed again by now.
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil || runtimesOwn(target) {
			continue
		}
		open[fd] = target + end(target, e.Name())
	}
	return open
}

// end says which end of a pipe a descriptor is, by its flags in fdinfo.
func end(target, fd string) string {
	if !strings.HasPrefix(target, "pipe:") {
		return ""
	}
	info, err := os.ReadFile("/proc/self/fdinfo/" + fd)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(info)) {
		if flags, ok := strings.CutPrefix(line, "flags:"); ok && strings.HasSuffix(strings.TrimSpace(flags), "1") {
			return ", a write end"
		}
	}
	return ", a read end"
}

func runtimesOwn(target string) bool {
	return strings.HasPrefix(target, "anon_inode:") ||
		strings.HasPrefix(target, "/sys/fs/cgroup/") ||
		strings.HasPrefix(target, "/proc/")
}

// Since returns what is open now and was not open before.
func (d Descriptors) Since(before Descriptors) []Object {
	var left []Object
	for fd, target := range d {
		if before[fd] != target {
			left = append(left, Object{Kind: Descriptor, ID: fd, Detail: target})
		}
	}
	slices.SortFunc(left, func(a, b Object) int { return cmp.Compare(a.ID, b.ID) })
	return left
}
