package supervisor

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/launch"
)

// isolate finishes what package launch began: this process is the first one of
// new PID, IPC and mount namespaces, and what shows their contents in the file
// system is mounted anew. /proc would still show the processes of the old
// namespace, /dev/shm is no part of the IPC namespace at all, and an old
// /dev/mqueue shows the old queues.
func (s *step) isolate() error {
	if err := launch.MountProc(); err != nil {
		return err
	}
	if err := keepDevices(); err != nil {
		return err
	}
	if isDir("/dev/shm") {
		if err := unix.Mount("tmpfs", "/dev/shm", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777"); err != nil {
			return fmt.Errorf("mounting /dev/shm: %w", err)
		}
	}
	s.queues = "/dev/mqueue"
	if !isDir(s.queues) {
		// The queues work without. To list them it is mounted in the folder of
		// this run, for this step alone.
		s.queues = filepath.Join(s.tempDir(), "mqueue")
		if err := os.Mkdir(s.queues, 0o700); err != nil && !os.IsExist(err) {
			return err
		}
	}
	if err := unix.Mount("mqueue", s.queues, "mqueue", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting the file system of the queues: %w", err)
	}
	return nil
}

// keepDevices makes /dev a mount that is read-only, for root: devices can be used as before,
// and nobody can change the mode of /dev/null for the whole machine, put a file in its
// place or remove it. Others may not do that anyway.
func keepDevices() error {
	if os.Getuid() != 0 {
		return nil
	}
	var at unix.Statfs_t
	if err := unix.Statfs("/dev", &at); err != nil {
		return os.NewSyscallError("statfs /dev", err)
	}
	if err := unix.Mount("/dev", "/dev", "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("mounting /dev: %w", err)
	}
	keep := uintptr(at.Flags) & (unix.MS_NOSUID | unix.MS_NOEXEC | unix.MS_NOATIME | unix.MS_NODIRATIME)
	if err := unix.Mount("", "/dev", "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|keep, ""); err != nil {
		return fmt.Errorf("making /dev read-only: %w", err)
	}
	return nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
