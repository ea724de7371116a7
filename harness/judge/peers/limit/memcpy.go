package main

import "fmt"

// memcpy copies the messages of a turn from one area to the other, turn after
// turn, as the transfer does.
func memcpy(r run) (result, error) {
	if err := stayOnLast(); err != nil {
		return result{}, err
	}
	from, to := make([]byte, r.perTurn()*r.size), make([]byte, r.perTurn()*r.size)
	for k := range r.perTurn() {
		copy(from[k*r.size:], newMessage(r.size))
	}
	touch(to)
	want := newMessage(r.size)

	var m result
	for i := 0; i < r.count; {
		n := min(r.perTurn(), r.count-i)
		for k := range n {
			setNumber(from[k*r.size:][:r.size], i+k)
		}
		m.seconds += copyMessages(to, from, r.size, n)
		for k := range n {
			if err := check(to[k*r.size:][:r.size], want, i+k); err != nil {
				return m, fmt.Errorf("the copy is wrong: %w", err)
			}
		}
		i += n
	}
	m.whole = m.seconds
	return m, nil
}
