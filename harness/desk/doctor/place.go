package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	prometheus "github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/limits"
	"ipcworkbook/harness/step/procfs"
)

const (
	mib = 1 << 20
	gib = 1 << 30

	leastTemp = 300 * mib // what building a chapter takes, and a step's files
	leastShm  = 64 * mib
	// Below the folder for temporary files come that of the run, the step's, and the
	// test's: up to so many bytes, with the name of a socket.
	belowTemp = 56
)

// temporary looks at the folder for temporary files. Test binaries are started there.
func (m Machine) temporary() Finding {
	f := finding("temporary files", "programs and files of a step", "nothing")
	const mend = "export TMPDIR=DIR, a folder that is yours, with a short path"
	var s unix.Statfs_t
	probe, err := os.CreateTemp(m.Temp, "workbook-probe-")
	if err == nil {
		probe.Close()
		err = os.Remove(probe.Name())
	}
	if err == nil {
		err = unix.Statfs(m.Temp, &s)
	}
	if err != nil {
		f.but(Lacking, err.Error(), mend)
		return f
	}
	f.Found = fmt.Sprintf("%s, %s free", m.Temp, size(free(s)))
	longest := len(unix.RawSockaddrUnix{}.Path) - 1
	switch {
	case s.Flags&unix.ST_NOEXEC != 0:
		f.but(Lacking, m.Temp+" is mounted with noexec", mend)
	case free(s) < leastTemp:
		f.but(Lacking, f.Found+", and "+size(leastTemp)+" are needed", mend)
	case len(m.Temp)+belowTemp > longest:
		f.but(Lacking, fmt.Sprintf("%s: too long for the address of a socket (%d bytes, unix(7))", m.Temp, longest), mend)
		f.Without = "all steps but those with a socket in the file system"
	}
	return f
}

func free(s unix.Statfs_t) uint64 { return s.Bavail * uint64(s.Bsize) }

// pages looks for a folder in which the kernel counts dirty pages.
func (m Machine) pages() Finding {
	f := finding("dirty pages", "durability: what the disk has", "all steps but those on durability")
	var problems []string
	for _, place := range append([]string{m.Temp}, procfs.DirtyPlaces(m.Root)...) {
		dir, err := os.MkdirTemp(place, "workbook-probe-")
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		problem := procfs.NoDirtyPages(dir)
		os.RemoveAll(dir)
		if problem == "" {
			f.Found = "counted in " + place
			return f
		}
		problem = strings.ReplaceAll(problem, dir, place)
		if !slices.Contains(problems, problem) { // what the kernel lacks, it lacks everywhere
			problems = append(problems, problem)
		}
	}
	f.but(Lacking, strings.Join(problems, "; "), "have the workbook, or TMPDIR, in a file system with a disk: ext4, xfs or btrfs, under Linux 6.5 or newer")
	return f
}

// inotify writes a file in the workbook's folder and waits to be told.
func (m Machine) inotify() Finding {
	f := finding("inotify", "chapter 2; task watch", "all other chapters; task test by hand")
	dir := filepath.Join(m.Root, ".workbook")
	told, err := m.told(dir)
	switch {
	case err != nil:
		f.but(Lacking, err.Error(), "sudo sysctl fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=65536")
	case !told:
		f.but(Less, dir+" tells of no change: it is "+filesystem(dir), "clone into a file system of this Linux; under WSL that is your home, and not below /mnt")
		f.Without = "task test by hand, in place of task watch"
	default:
		f.Found = m.sysctl("fs/inotify/max_user_instances") + " instances"
		if used, most, known := limits.Inotify.Count(); known {
			f.Found = fmt.Sprintf("%d instances, %d taken", most, used)
		}
	}
	return f
}

func (m Machine) told(dir string) (bool, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return false, err
	}
	defer w.Close()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return false, err
	}
	if err := w.Add(dir); err != nil {
		return false, err
	}
	probe, err := os.CreateTemp(dir, "probe-")
	if err != nil {
		return false, err
	}
	defer os.Remove(probe.Name())
	defer probe.Close()
	late := time.NewTimer(2 * time.Second)
	defer late.Stop()
	for {
		select {
		case event := <-w.Events:
			if event.Name == probe.Name() {
				return true, nil
			}
		case err := <-w.Errors:
			return false, err
		case <-late.C:
			return false, nil
		}
	}
}

// filesystem is the type of the file system that a path is in.
func filesystem(path string) string {
	mounts, err := prometheus.GetMounts()
	if err != nil {
		return "an unknown file system"
	}
	kind, longest := "an unknown file system", -1
	for _, mount := range mounts {
		point := strings.TrimSuffix(mount.MountPoint, "/") + "/"
		if strings.HasPrefix(path+"/", point) && len(point) >= longest {
			kind, longest = mount.FSType, len(point)
		}
	}
	return kind
}

// sharedMemory looks at the folder in which shm_open(3) makes its files.
func (m Machine) sharedMemory() Finding {
	f := finding("/dev/shm", "shared memory, chapter 5, shm_open(3)", "all chapters but 5")
	var s unix.Statfs_t
	err := unix.Statfs(m.Shm, &s)
	switch {
	case err != nil:
		f.but(Lacking, fmt.Sprintf("%s: %v", m.Shm, err), "sudo mkdir -p "+m.Shm+" && sudo mount -t tmpfs -o mode=1777 tmpfs "+m.Shm)
	case s.Type != unix.TMPFS_MAGIC:
		f.but(Lacking, m.Shm+" is no tmpfs", "sudo mount -t tmpfs -o mode=1777 tmpfs "+m.Shm)
	case free(s) < leastShm:
		f.but(Less, size(free(s))+" free", "sudo mount -o remount,size=256M "+m.Shm+"; for a container: --shm-size=256m")
	default:
		f.Found = size(free(s)) + " free"
	}
	return f
}

// size is a number of bytes, for people.
func size(n uint64) string {
	switch {
	case n >= 10*gib:
		return fmt.Sprintf("%d GiB", n/gib)
	case n >= gib:
		return fmt.Sprintf("%.1f GiB", float64(n)/gib)
	case n >= mib:
		return fmt.Sprintf("%d MiB", n/mib)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}
