package checks

import "testing"

func TestBriefAreAllThere(t *testing.T) {
	if got, want := len(Brief()), len(brief); got != want {
		t.Errorf("%d checks of %d names: a check has another name now, or a name is there twice", got, want)
	}
}
