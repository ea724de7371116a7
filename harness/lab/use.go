package lab

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"ipcworkbook/harness/step/procfs"
	"ipcworkbook/harness/verdict"
)

// mostShown is how many things of a process are listed.
const mostShown = 8

// MustBe asserts that an end is a descriptor of the chapter's mechanism, and of
// no other that would do the same. What names the end for the reader.
func (l *Lab) MustBe(what string, end conn, want Mechanism) {
	l.t.Helper()
	var fd int
	if err := control(end, func(n int) error { fd = n; return nil }); err != nil {
		l.fail(wrongEnd(err))
	}
	got := object{shown: l.Target(end)}
	for _, f := range l.read(os.Getpid()).Files {
		if f.FD == fd {
			got = descriptor(os.Getpid(), f)
		}
	}
	if got.Mechanism != want {
		article, noun, _ := strings.Cut(want.name, " ")
		l.fail(failure{Verdict: verdict.Wrong, Call: what,
			Detail: []string{"expected: a descriptor of " + article + " " + noun, "got:      " + got.shown},
			Reason: about(want)})
	}
}

func about(m Mechanism) string { return "This chapter is about " + m.page + "." }

// MustUse asserts that the process uses a mechanism: it has a descriptor of it
// or a mapping, or it was the last that sent or received on a System V queue.
func (p *Process) MustUse(want Mechanism) {
	p.lab.t.Helper()
	p.lab.mustUse(p.name(), p.PID(), want, p.own)
}

// MustUse is [Process.MustUse] for the test's own process. What was open before
// the step does not count.
func (l *Lab) MustUse(want Mechanism) {
	l.t.Helper()
	l.mustUse("the test", os.Getpid(), want, l.own)
}

func (l *Lab) mustUse(name string, pid int, want Mechanism, own owner) {
	l.t.Helper()
	if used := l.uses(pid, want, own); !slices.ContainsFunc(used, want.is) {
		l.fail(failure{Verdict: verdict.Wrong, Call: name, Detail: []string{
			"expected: it uses " + want.name, "got:      " + listed(used)}, Reason: about(want)})
	}
}

func (m Mechanism) is(o object) bool { return o.Mechanism == m }

// MustShare asserts that processes use the same pipe, or the same mapping, and
// not each one of its own. (The kernel does not tell signalfds apart.) One process alone shares it with the test. Two that
// share a System V queue are the last sender and the last receiver of it.
func (l *Lab) MustShare(want Mechanism, processes ...*Process) {
	l.t.Helper()
	var names, found []string
	var common []string // ids
	add := func(name string, pid int, own owner) {
		var ids []string
		used := l.uses(pid, want, own)
		if of := slices.DeleteFunc(slices.Clone(used), func(o object) bool { return !want.is(o) }); len(of) > 0 {
			used = of // the rest explains nothing
		}
		for _, o := range used {
			if want.is(o) {
				ids = append(ids, o.id)
			}
		}
		if names == nil {
			common = ids
		}
		common = slices.DeleteFunc(common, func(id string) bool { return !slices.Contains(ids, id) })
		names, found = append(names, name), append(found, name+": "+listed(used))
	}
	if len(processes) == 1 {
		add("the test", os.Getpid(), l.own)
	}
	for _, p := range processes {
		add(p.name(), p.PID(), p.own)
	}
	if len(common) == 0 {
		l.fail(failure{Verdict: verdict.Wrong, Call: strings.Join(names, " and "), Detail: []string{
			"expected: they share " + want.name, "got:      " + strings.Join(found, "\n          ")}, Reason: about(want)})
	}
}

// uses lists what a process has of a mechanism, or what it has instead.
func (l *Lab) uses(pid int, want Mechanism, own owner) []object {
	var used []object
	p := l.read(pid)
	runtimes := runtimesEventfds(p)
	for _, f := range p.Files {
		if own(p, f) && f.Kind != procfs.Epoll && !slices.Contains(runtimes, f.FD) && !strings.HasPrefix(f.Target, "/sys/fs/cgroup/") {
			o := descriptor(pid, f)
			o.shown = fmt.Sprintf("fd %d is %s", f.FD, o.shown)
			used = append(used, o)
		}
	}
	mapped, err := mappings(pid)
	if err != nil && want == SharedMapping {
		l.Fault("reading the mappings of process %d: %v", pid, err)
	}
	return slices.Concat(mapped, queues(pid), used)
}

// read reads what /proc says of a process. Who plays a role may be read by the
// test, its parent.
func (l *Lab) read(pid int) procfs.Process {
	p, err := procfs.Read(pid)
	if err == nil {
		err = p.FilesErr
	}
	if err != nil {
		l.Fault("looking at the descriptors of process %d: %v", pid, err)
	}
	return p
}

func listed(objects []object) string {
	if len(objects) == 0 {
		return "nothing of the kind"
	}
	var lines []string
	for i, o := range objects {
		if i == mostShown {
			lines = append(lines, fmt.Sprintf("and %d more", len(objects)-i))
			break
		}
		lines = append(lines, o.shown)
	}
	return strings.Join(lines, "\n          ")
}
