package metadata

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/weft-sdn/weft/nsagent/plan"
)

// Session tokens as Amazon's service has them (Instance Metadata Service, version 2): cloud-init and Amazon's own programs
// ask for one first. Who asks is told by the source address here, so that nobody needs one; but one that is not right is
// refused, as there.
const (
	tokenPath    = "/latest/api/token"
	tokenHeader  = "X-Aws-Ec2-Metadata-Token"
	tokenTTL     = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"
	maxTokenTTL  = 21600 // seconds: six hours
	forwardedFor = "X-Forwarded-For"
)

// tokens makes and checks session tokens, of which it keeps none: a token is the time of its end, and a MAC of that and of
// the port that it was made for. Those of an earlier process are worth nothing, and whoever has one asks for another.
type tokens struct{ key [sha256.Size]byte }

func newTokens() *tokens {
	t := &tokens{}
	_, _ = rand.Read(t.key[:]) // never fails
	return t
}

// issue answers a request for a token.
func (t *tokens) issue(w http.ResponseWriter, r *http.Request, who *plan.Caller) {
	ttl, err := strconv.Atoi(r.Header.Get(tokenTTL))
	switch {
	case len(r.Header.Values(forwardedFor)) > 0:
		// A proxy that does what anybody asks must not get one.
		http.Error(w, "a token is not given through proxies", http.StatusForbidden)
		return
	case err != nil || ttl < 1 || ttl > maxTokenTTL:
		http.Error(w, fmt.Sprintf("%s must be a number of seconds from 1 to %d", tokenTTL, maxTokenTTL), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", plain)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set(tokenTTL, strconv.Itoa(ttl))
	_, _ = w.Write([]byte(t.token(time.Now().Add(time.Duration(ttl)*time.Second), who)))
}

func (t *tokens) token(end time.Time, who *plan.Caller) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(end.Unix()))
	mac := hmac.New(sha256.New, t.key[:])
	mac.Write(b)
	mac.Write([]byte(who.PortID))
	return base64.URLEncoding.EncodeToString(mac.Sum(b))
}

// valid says whether a request has no token, or one that was made for this port and has not ended.
func (t *tokens) valid(r *http.Request, who *plan.Caller) bool {
	given := r.Header.Values(tokenHeader)
	if len(given) == 0 {
		return true
	}
	b, err := base64.URLEncoding.DecodeString(given[0])
	if err != nil || len(given) > 1 || len(b) != 8+sha256.Size {
		return false
	}
	end := time.Unix(int64(binary.BigEndian.Uint64(b)), 0)
	return hmac.Equal([]byte(t.token(end, who)), []byte(given[0])) && time.Now().Before(end)
}
