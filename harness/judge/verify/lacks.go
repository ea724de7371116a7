package verify

import "os/exec"

// lacks says which program a step needs that this machine does not have, or "".
func (v *verifier) lacks(step int) string {
	s, err := v.chapter.Step(step)
	if err != nil {
		return ""
	}
	for _, program := range s.Needs {
		if _, err := exec.LookPath(program); err != nil {
			return "step " + s.Test + " needs " + program + ", and this machine has none"
		}
	}
	return ""
}
