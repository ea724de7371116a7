package main

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// unsupported is the exit status of what this machine cannot show.
const unsupported = 3

// showDirt prints how many pages of a file are in the page cache, and how many of
// them the disk does not have yet. It asks the kernel, and needs none of your code.
func showDirt(path string) error {
	if reason := showsNoDirt(filepath.Dir(path)); reason != "" {
		fmt.Fprintln(os.Stderr, "demo: cannot be shown here:", reason)
		os.Exit(unsupported)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	cached, dirty, err := pages(f)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %s in the page cache, %d of them dirty\n", path, count(cached, "page"), dirty)
	return nil
}

// pages asks with cachestat(2), which came with Linux 6.5. A page that is just
// being written back counts as dirty.
func pages(f *os.File) (cached, dirty int, err error) {
	var stat unix.Cachestat_t
	// A range of length 0 reaches to the end of the file.
	err = unix.Cachestat(uint(f.Fd()), &unix.CachestatRange{}, &stat, 0)
	if err != nil {
		return 0, 0, os.NewSyscallError("cachestat", err)
	}
	dirty = int(stat.Dirty + stat.Writeback)
	return int(stat.Cache), dirty, nil
}

// showsNoDirt tries it out: tmpfs has no disk behind it, and overlayfs does not tell.
func showsNoDirt(folder string) string {
	probe, err := os.CreateTemp(folder, "probe-")
	if err != nil {
		return err.Error()
	}
	defer os.Remove(probe.Name())
	defer probe.Close()
	if _, err := probe.WriteString("dirty"); err != nil {
		return err.Error()
	}
	_, dirty, err := pages(probe)
	if err != nil {
		return err.Error()
	}
	if dirty == 0 {
		return "a write leaves no dirty page here. Is it tmpfs or overlayfs?"
	}
	return ""
}
