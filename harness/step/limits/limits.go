// Package limits knows what all programs of a machine, or of a user, share and can use
// up: with nothing left a right solution fails, and that is not its fault.
//
// It asks what is left, by taking one and giving it back, and not what is allowed. Only
// when none is left does it look who has them.
package limits

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Limit is something of which there is only so much.
type Limit struct {
	Name string // "inotify instances"
	Key  string // what sets it: "fs.inotify.max_user_instances"
	Mend string // what to do if none is left
	// words are those of the error that a program gets then.
	words []string
	// own is the error that a chapter makes of it, in its stub. The kernel's words may be cut.
	own string
	// left takes one and gives it back: nil, or the kernel's refusal.
	left func() error
	// most is how many there may be; used is how many a process has.
	most func() (uint64, bool)
	used func(pid string) int
	// each says that each user has as many, so only the processes of this one count.
	each bool
}

// Inotify is that of the instances of inotify(7).
var Inotify = Limit{
	Name: "inotify instances", Key: "fs.inotify.max_user_instances, for each user",
	Mend:  "sudo sysctl fs.inotify.max_user_instances=512",
	words: []string{unix.EMFILE.Error(), "inotify"},
	left:  inotify, most: sysctl("fs/inotify/max_user_instances", "user/max_inotify_instances"),
	used: descriptors("anon_inode:inotify"), each: true,
}

// All are the limits that a step of any chapter may meet.
func All(temp string) []Limit {
	return append(queues(), []Limit{
		Inotify,
		pendingSignals,
		{
			Name: "inotify watches", Key: "fs.inotify.max_user_watches, for each user",
			Mend:  "sudo sysctl fs.inotify.max_user_watches=65536",
			words: []string{unix.ENOSPC.Error(), "inotify"},
			left:  func() error { return watch(temp) }, most: sysctl("fs/inotify/max_user_watches", "user/max_inotify_watches"), used: watches, each: true,
		},
		{
			Name: "open files of the whole machine", Key: "fs.file-max",
			Mend:  "sudo sysctl fs.file-max=1000000",
			words: []string{unix.ENFILE.Error()},
			left:  open, most: sysctl("fs/file-max"), used: descriptors(""),
		},
		{
			Name: "processes and threads", Key: "pids.max of a container or a slice, or ulimit -u",
			Mend:  "end other programs, or give the container more (--pids-limit)",
			words: []string{unix.EAGAIN.Error(), "fork/exec"},
			left:  task, used: threads,
		},
		{
			Name: "pages in pipes", Key: "fs.pipe-user-pages-soft, for each user but root",
			Mend:  "sudo sysctl fs.pipe-user-pages-soft=65536",
			words: []string{"pipe"},
			left:  pipe, most: sysctl("fs/pipe-user-pages-soft"), used: descriptors("pipe:"), each: true,
		},
		{
			Name: "room in /dev/shm", Key: "the file system's size",
			Mend:  "ls -l /dev/shm shows what is there; or mount -o remount,size=256M /dev/shm, for a container --shm-size=256m",
			words: []string{unix.ENOSPC.Error(), "/dev/shm"},
			left:  func() error { return freeIn("/dev/shm", leastShared) },
		},
		{
			Name: "room in " + temp, Key: "the file system's size",
			Mend:  "remove files there, or have TMPDIR elsewhere",
			words: []string{unix.ENOSPC.Error()},
			left:  func() error { return room(temp) },
		},
	}...)
}

// UsedUp tries each limit and returns those of which nothing is left.
func UsedUp(all []Limit) (some []Limit) {
	for _, l := range all {
		if l.left() != nil {
			some = append(some, l)
		}
	}
	return some
}

// Blame says whether a failure's message is that of a limit, of which nothing is left
// now. It is "" if not: what has failed for another reason stays what it is.
func Blame(message string, all []Limit) string {
	for _, l := range all {
		if l.saidIn(message) && l.left() != nil {
			return "This machine has nothing left of what the step needs: " + l.String()
		}
	}
	return ""
}

func (l Limit) saidIn(message string) bool {
	return l.own != "" && strings.Contains(message, l.own) || !slices.ContainsFunc(l.words, func(word string) bool { return !strings.Contains(message, word) })
}

// String tells the limit, who has the most of it, and what to do.
func (l Limit) String() string {
	var s strings.Builder
	s.WriteString(l.Name)
	if l.most != nil {
		if n, known := l.most(); known {
			fmt.Fprintf(&s, ", of which there are %d", n)
		}
	}
	fmt.Fprintf(&s, " (%s).\n", l.Key)
	if who := l.who(); len(who) > 0 {
		fmt.Fprintf(&s, "The most have: %s.\n", strings.Join(who, ", "))
	}
	fmt.Fprintf(&s, "To have more: %s", l.Mend)
	return s.String()
}

// Count is how many the processes have that can be looked at, and the most that there
// may be.
func (l Limit) Count() (used int, most uint64, known bool) {
	if l.most == nil || l.used == nil {
		return 0, 0, false
	}
	most, known = l.most()
	for _, pid := range l.processes() {
		used += l.used(pid)
	}
	return used, most, known
}

// shown is how many processes are named.
const shown = 3

// who are the processes that have the most.
func (l Limit) who() (names []string) {
	if l.used == nil {
		return nil
	}
	type holder struct {
		pid string
		n   int
	}
	var all []holder
	for _, pid := range l.processes() {
		if n := l.used(pid); n > 0 {
			all = append(all, holder{pid, n})
		}
	}
	slices.SortStableFunc(all, func(a, b holder) int { return cmp.Compare(b.n, a.n) })
	for _, h := range all[:min(shown, len(all))] {
		comm, _ := os.ReadFile("/proc/" + h.pid + "/comm")
		names = append(names, fmt.Sprintf("%s (pid %s) %d", strings.TrimSpace(string(comm)), h.pid, h.n))
	}
	return names
}

// processes are those that the limit is about.
func (l Limit) processes() (pids []string) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		var s unix.Stat_t
		if l.each && (unix.Stat("/proc/"+e.Name(), &s) != nil || int(s.Uid) != os.Getuid()) {
			continue
		}
		pids = append(pids, e.Name())
	}
	return pids
}

// descriptors counts the descriptors of a process that lead to something: "pipe:".
func descriptors(to string) func(pid string) int {
	return func(pid string) (n int) {
		dir := filepath.Join("/proc", pid, "fd")
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if target, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil && strings.HasPrefix(target, to) {
				n++
			}
		}
		return n
	}
}

// watches counts the lines that a process's inotify descriptors have for their watches.
func watches(pid string) (n int) {
	dir := filepath.Join("/proc", pid, "fd")
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if target, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil && target == "anon_inode:inotify" {
			text, _ := os.ReadFile(filepath.Join("/proc", pid, "fdinfo", e.Name()))
			n += strings.Count(string(text), "inotify wd:")
		}
	}
	return n
}

func threads(pid string) int {
	entries, _ := os.ReadDir(filepath.Join("/proc", pid, "task"))
	return len(entries)
}

// sysctl is the least of some values below /proc/sys: the machine's, and that of the user
// namespace.
func sysctl(keys ...string) func() (uint64, bool) {
	return func() (least uint64, known bool) {
		for _, key := range keys {
			if n, ok := number("/proc/sys/" + key); ok && (!known || n < least) {
				least, known = n, true
			}
		}
		return least, known
	}
}

func inotify() error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// watch watches a folder. Without an instance nothing is known of watches.
func watch(dir string) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	if _, err = unix.InotifyAddWatch(fd, dir, unix.IN_MODIFY); errors.Is(err, unix.ENOSPC) {
		return err
	}
	return nil
}

func open() error {
	fd, err := unix.Open("/proc/self/stat", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENFILE) {
		return err
	}
	if err == nil {
		unix.Close(fd)
	}
	return nil
}

// task looks for the numbers of the control group: to start one is left to who needs it.
func task() error {
	group, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	path, ok := strings.CutPrefix(strings.SplitN(string(group), "\n", 2)[0], "0::")
	if !ok {
		return nil
	}
	// Each group above has a limit as well.
	for ; path != "/" && path != "."; path = filepath.Dir(path) {
		most, limited := number(filepath.Join("/sys/fs/cgroup", path, "pids.max"))
		now, known := number(filepath.Join("/sys/fs/cgroup", path, "pids.current"))
		if limited && known && now+fewTasks >= most {
			return unix.EAGAIN
		}
	}
	return nil
}

// fewTasks are less than a step needs.
const fewTasks = 50

func number(file string) (uint64, bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil
}

// pipe looks at the capacity of a new one: who has too many gets small ones (pipe(7)).
func pipe() error {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil
	}
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	const pages = 16
	if size, err := unix.FcntlInt(uintptr(fds[0]), unix.F_GETPIPE_SZ, 0); err == nil && size < pages*os.Getpagesize() {
		return unix.EPERM
	}
	return nil
}

// room asks for a little more than a step's largest file.
func room(dir string) error { return freeIn(dir, 64<<20) }

// leastShared is more than the regions of a step have together.
const leastShared = 8 << 20

func freeIn(dir string, least uint64) error {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return nil
	}
	if uint64(s.Bavail)*uint64(s.Bsize) < least || s.Files > 0 && s.Ffree == 0 {
		return unix.ENOSPC
	}
	return nil
}
