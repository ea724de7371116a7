package explain

import (
	"fmt"

	"ipcworkbook/harness/step/procfs"
)

// explainSemaphore says what the semaphore is at and who used it last.
func (c *Case) explainSemaphore(w *wait) (lines, advice []string) {
	v, s := w.t.SystemV, w.t.SystemV.Semaphore
	if s == nil {
		return []string{"It is about semaphore set " + idAndKey(v) + ". Its operations could not be read."}, nil
	}
	line := fmt.Sprintf("It waits until semaphore %d of set %s is at 0.", s.Num, idAndKey(v))
	if s.Op < 0 {
		line = fmt.Sprintf("It wants to take %d from semaphore %d of set %s.", -s.Op, s.Num, idAndKey(v))
	}
	if v.Err != nil {
		return []string{line, "The value of the semaphore may not be read: that asks for read permission on the set."}, nil
	}
	lines = []string{fmt.Sprintf("%s The semaphore is at %d.", line, s.Value)}
	if s.More > 0 {
		lines = append(lines, fmt.Sprintf("It does %d operations in one call, all or none. This is the first that cannot be done.", s.More+1))
	}
	if s.Left != s.Value {
		lines = append(lines, fmt.Sprintf("After the operations before it the semaphore would be at %d.", s.Left))
	}
	lines = append(lines, c.lastOperation(w))
	return append(lines, waiters(s)...), c.semaphoreAdvice(w)
}

func (c *Case) lastOperation(w *wait) string {
	switch last := w.t.SystemV.Semaphore.Last; {
	case last == 0:
		return "Nobody has done anything with it since it was made, not even set its value."
	case last == w.p.PID:
		return "The last operation on it was its own."
	default:
		return "The last operation on it was done by " + c.who(last) + "."
	}
}

// waiters tells of others that wait in the same way.
func waiters(s *procfs.Semaphore) []string {
	n, end := s.Takers, "until it grows"
	if s.Op == 0 {
		n, end = s.Zeroers, "until it is at 0"
	}
	if n < 2 {
		return nil
	}
	return []string{fmt.Sprintf("%d threads wait %s.", n, end)}
}

func (c *Case) semaphoreAdvice(w *wait) []string {
	switch s := w.t.SystemV.Semaphore; {
	case s.Op == 0:
		return []string{"An operation of 0 changes nothing: it waits until others have taken all that is there (semop(2))."}
	case s.Last == 0:
		return []string{"A new semaphore is at 0, and semget(2) does not set another value.",
			"The process that makes the set gives it its first value with semctl(2) and SETVAL, before anybody takes."}
	case c.gone(s.Last):
		return []string{"What a process took it has to give back before it ends.",
			"With SEM_UNDO the kernel gives it back then, whatever ended it (semop(2)).",
			"SEM_UNDO works the other way too: what was given with it is taken back when the giver ends."}
	case s.Last == w.p.PID:
		return []string{"A semaphore has no owner: a process that took it and takes it again waits as everybody else does.",
			"Every path through the code, errors too, has to give back what it took."}
	}
	return []string{"A semaphore grows only when a process gives to it: semop(2) with a positive number.",
		"Every path through the code, errors too, has to give back what it took."}
}
