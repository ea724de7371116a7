package signals

import (
	"fmt"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

func InGroup(cmd *exec.Cmd) {
	var attr syscall.SysProcAttr
	if cmd.SysProcAttr != nil {
		attr = *cmd.SysProcAttr // it may serve other commands, too
	}
	attr.Setpgid, attr.Pgid = !attr.Setsid, 0 // who leads a session leads a group, and must not make one
	cmd.SysProcAttr = &attr
}

func Foreground(tty syscall.Conn, pgid int) error {
	if err := one(pgid); err != nil {
		return err
	}
	raw, err := tty.SyscallConn()
	if err != nil {
		return err
	}
	// A process in the background that does this is stopped by SIGTTOU, unless its thread
	// blocks the signal. To ignore it would be for the whole process, and for its children.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var set, before unix.Sigset_t
	set.Val[(unix.SIGTTOU-1)/64] = 1 << ((unix.SIGTTOU - 1) % 64)
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &set, &before); err != nil {
		return err
	}
	defer unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)
	var moved error
	if err := raw.Control(func(fd uintptr) { moved = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPGRP, pgid) }); err != nil {
		return err
	}
	if moved != nil {
		return fmt.Errorf("the terminal's foreground group: %d: %w", pgid, moved)
	}
	return nil
}
