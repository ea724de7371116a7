package console

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// killSession kills every process of the session that the program leads, and
// returns those that are still there after five seconds. To kill the group
// alone would miss the jobs of a shell, which have groups of their own.
func killSession(program *os.Process, exited <-chan struct{}) []int {
	program.Kill()
	var pids []int
	// One empty look is not enough: a process may have started another behind
	// our back just before it died.
	for deadline, empty := time.Now().Add(5*time.Second), 0; empty < 2; {
		if time.Now().After(deadline) {
			return pids
		}
		gone := false
		select {
		case <-exited:
			gone = true
		case <-time.After(time.Millisecond):
		}
		if gone && unix.Kill(program.Pid, 0) == nil {
			// The number has been given to another process, so the session
			// is empty, see session.
			return nil
		}
		pids = session(program.Pid)
		for _, pid := range pids {
			unix.Kill(pid, unix.SIGKILL)
		}
		if gone && len(pids) == 0 {
			empty++
		}
		if !gone {
			pids = append(pids, program.Pid)
		}
	}
	return nil
}

// session returns the processes of a session that are alive, except for its
// leader. The leader may have been reaped: as long as one of them is left, the
// kernel gives the leader's number to no other process.
func session(id int) []int {
	var pids []int
	// A process that ends while we look has no file any more: no matter.
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		// "pid (name) state ppid pgrp session ...", proc_pid_stat(5). The name
		// may hold blanks and brackets, so the fields count from its end.
		end := bytes.LastIndexByte(stat, ')')
		var state string
		var ppid, pgrp, sid int
		if _, err := fmt.Sscan(string(stat[end+1:]), &state, &ppid, &pgrp, &sid); err != nil {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if dead := state == "Z" || state == "X"; sid == id && pid != id && !dead {
			pids = append(pids, pid)
		}
	}
	return pids
}
