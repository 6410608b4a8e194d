package trace

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// said is what ofproto/trace has printed: one part for the packet as it came, and one for each time that it was taken up again after
// a look at the connection tracker.
type said struct {
	parts []part
	steps []Step
}

// part is one pass through the tables.
type part struct {
	// flow is the packet as it is at the beginning.
	flow string
	// actions are those of the datapath.
	actions string
}

// Step is a row that a packet met.
type Step struct {
	Bridge string
	Table  uint8
	// Match is the row's priority and match, as in a line of dump-flows: "priority=2,dl_vlan=1". Empty: no row matches.
	Match  string
	Cookie uint64
	// Actions are the row's, as far as they were carried out.
	Actions []string
	// Notes are what the switch says of them.
	Notes []string

	column int
	// warned: among the notes is a warning.
	warned bool
}

// Row is the row as ovs-ofctl dump-flows --no-stats prints it.
func (s Step) Row() string {
	if s.Match == "" {
		return "no row matches"
	}
	return fmt.Sprintf("cookie=0x%x, table=%d, %s actions=%s", s.Cookie, s.Table, s.Match, strings.Join(s.Actions, ","))
}

// Trivial says whether the row does nothing but lead on, as the last row of a table does.
func (s Step) Trivial() bool {
	return s.Match == "priority=0" && len(s.Actions) == 1 && strings.HasPrefix(s.Actions[0], "goto_table:")
}

// The lines of ofproto/trace (Open vSwitch 2.10 to 3.x, ofproto/ofproto-dpif-trace.c and -xlate.c).
var (
	bridgeLine = regexp.MustCompile(`^( *)bridge\("([^"]*)"\)$`)
	tableLine  = regexp.MustCompile(`^( *)([0-9]{1,3})\. (.*)$`)
	rowPart    = regexp.MustCompile(`^(?:(.*), )?priority ([0-9]+)(?:, cookie (0x[0-9a-f]+))?$`)
	resumeNote = regexp.MustCompile(`will be resumed at table [0-9]+`)
	resumeLine = regexp.MustCompile(`^ *Resuming from table [0-9]+$`)
)

// parse reads what ofproto/trace has printed. Lines that it does not know it passes over; without a flow and its actions in it the
// text is no trace.
func parse(text string) (said, error) {
	p := &parser{}
	for line := range strings.Lines(text) {
		p.line(strings.TrimRight(line, "\r\n"))
	}
	for i, part := range p.out.parts {
		if part.actions == "" {
			return said{}, fmt.Errorf("part %d of the switch's answer tells no actions: %.200q", i+1, text)
		}
	}
	if len(p.out.parts) == 0 {
		return said{}, fmt.Errorf("the switch's answer is no trace: %.200q", text)
	}
	return p.out, nil
}

type parser struct {
	out said
	// at are the bridges that the packet is in: one inside the other.
	at []frame
	// open are the steps whose actions go on.
	open []int
	// frozen are the bridges in which the packet waits to be taken up again: the switch writes the first bridge's name there, whichever
	// it is.
	frozen []string
}

type frame struct {
	bridge         string
	indent, column int // column is -1 before the first table
}

func (p *parser) line(line string) {
	if m := bridgeLine.FindStringSubmatch(line); m != nil {
		p.enter(m[2], len(m[1]))
		return
	}
	if m := tableLine.FindStringSubmatch(line); m != nil {
		p.step(m)
		return
	}
	text := strings.TrimLeft(line, " ")
	indent := len(line) - len(text)
	if indent == 0 {
		p.head(text)
		return
	}
	if resumeLine.MatchString(line) {
		if len(p.at) > 0 && len(p.frozen) > 0 {
			p.at[len(p.at)-1].bridge = p.frozen[0]
			p.frozen = p.frozen[1:]
		}
		return
	}
	for len(p.open) > 0 && p.out.steps[p.open[len(p.open)-1]].column+4 > indent {
		p.open = p.open[:len(p.open)-1]
	}
	if len(p.open) == 0 {
		return
	}
	s := &p.out.steps[p.open[len(p.open)-1]]
	// What is worth a warning, or an error, begins with more than an arrow.
	if note := strings.TrimLeft(text, "->"); note != text && strings.HasPrefix(note, " ") {
		note = strings.TrimSpace(strings.TrimRight(note, "<"))
		s.Notes = append(s.Notes, note)
		s.warned = s.warned || strings.HasPrefix(text, ">")
		if resumeNote.MatchString(note) {
			p.frozen = append(p.frozen, s.Bridge)
		}
		return
	}
	// Of ct() the switch also tells what is inside, and that nothing inside drops the packet.
	if n := len(s.Actions); n > 0 && strings.HasPrefix(s.Actions[n-1], "ct(") && (text == "drop" || strings.Contains(s.Actions[n-1], text)) {
		return
	}
	if strings.Trim(text, "-") != "" {
		s.Actions = append(s.Actions, text)
	}
}

// head takes a line that stands by itself.
func (p *parser) head(text string) {
	switch {
	case strings.HasPrefix(text, "Flow: "):
		p.out.parts = append(p.out.parts, part{flow: strings.TrimPrefix(text, "Flow: ")})
		p.at, p.open = nil, nil
	case strings.HasPrefix(text, "Datapath actions: ") && len(p.out.parts) > 0:
		p.out.parts[len(p.out.parts)-1].actions = strings.TrimPrefix(text, "Datapath actions: ")
	}
}

func (p *parser) enter(bridge string, indent int) {
	for len(p.at) > 0 && p.at[len(p.at)-1].indent > indent {
		p.at = p.at[:len(p.at)-1]
	}
	p.at = append(p.at, frame{bridge, indent, -1})
}

// step takes the line of a table. What is inside one bridge's action is further to the right than its tables.
func (p *parser) step(m []string) {
	column := len(m[1]) + len(m[2]) - 2 // the number is two wide
	for len(p.at) > 1 && p.at[len(p.at)-1].column > column {
		p.at = p.at[:len(p.at)-1]
	}
	if len(p.at) == 0 {
		return
	}
	f := &p.at[len(p.at)-1]
	if f.column < 0 {
		f.column = column
	}
	n, err := strconv.ParseUint(m[2], 10, 8)
	if err != nil {
		return
	}
	s := Step{Bridge: f.bridge, Table: uint8(n), column: column}
	if row := rowPart.FindStringSubmatch(m[3]); row != nil {
		s.Match = "priority=" + row[2]
		if row[1] != "" {
			s.Match += "," + row[1]
		}
		s.Cookie, _ = strconv.ParseUint(row[3], 0, 64)
	} else if m[3] != "No match." {
		return
	}
	for len(p.open) > 0 && p.out.steps[p.open[len(p.open)-1]].column >= column {
		p.open = p.open[:len(p.open)-1]
	}
	p.out.steps = append(p.out.steps, s)
	p.open = append(p.open, len(p.out.steps)-1)
}
