package check

// Turns bound what runs at the same time. A build keeps a core busy to its end, so
// there is one for each core. A step waits for most of its time, for the end of a
// deadline if it hangs: of steps there are more.
type Turns struct{ builds, steps chan struct{} }

// NewTurns returns turns for a machine with so many cores: as many builds, and as many
// steps.
func NewTurns(cores int) *Turns {
	return &Turns{make(chan struct{}, cores), make(chan struct{}, cores)}
}

// More allows so many times the steps.
func (t *Turns) More(times int) *Turns {
	t.steps = make(chan struct{}, times*cap(t.steps))
	return t
}

// Build runs a build when it is its turn. Without turns it runs at once.
func (t *Turns) Build(run func() error) error {
	if t != nil {
		t.builds <- struct{}{}
		defer func() { <-t.builds }()
	}
	return run()
}

// step waits for a step's turn. What it returns ends the turn.
func (t *Turns) step() (done func()) {
	t.steps <- struct{}{}
	return func() { <-t.steps }
}
