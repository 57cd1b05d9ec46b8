package main

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Options is the command line, in the words of the engine that the stub stands for.
type Options struct {
	Address          string
	Model            string
	ServedNames      []string
	Adapters         []Adapter
	Engine           string // vllm, sglang, dynamo or llamacpp: whose command line this is
	Role             string // SGLang's disaggregation mode: prefill, decode, or "" for both in one
	Seats            int
	KVTokens         int
	MaxModelLen      int
	Metrics          bool
	MetricsPath      string
	MetricsAddress   string // where /metrics is served instead of Address, or ""
	CertFile         string
	KeyFile          string
	Pace             Pace
	Body             string
	Bodies           string
	StartupDelay     time.Duration
	Refuse           bool
	AbsentUntilFirst bool
	MetricsDelay     time.Duration
	ProxyTo          *url.URL // nothing but this server behind a token, or nil
	Token            string
}

// Adapter is a LoRA adapter of the model.
type Adapter struct{ Name, Path string }

const usageText = `stub-engine: an LLM engine without a model, for tests

It takes the flags of 'vllm serve', 'sglang.launch_server', 'dynamo.vllm' and 'llama-server' that matter here and skips
all others.
  serve MODEL, --model M, --model-path M     what /v1/models calls the root
  --served-model-name NAME[ NAME...]         names that requests use (the model); llama.cpp: --alias
  --lora-modules NAME=PATH[ NAME=PATH...]    LoRA adapters, which requests name as they name models
  --host H, --port P                         where to listen (0.0.0.0:8000; SGLang 127.0.0.1:30000,
                                             llama.cpp 127.0.0.1:8080, Dynamo 0.0.0.0:$DYN_SYSTEM_PORT, 9090)
  --max-num-seqs N, --max-running-requests N, --parallel N   seats (8; llama.cpp 4)
  --max-model-len N, --context-length N, --ctx-size N        longest prompt and output together (4096)
  --max-num-batched-tokens N                 tokens in one step (2048)
  --enable-metrics                           SGLang answers 404 on /metrics without it
  --metrics                                  llama.cpp answers 501 on /metrics without it
  --disaggregation-mode prefill|decode       SGLang: the first token only, or all tokens of prompts that are computed
  --ssl-certfile F, --ssl-keyfile F          serve https; made at the start where the files are missing
  -m, -a, -c, -np, LLAMA_ARG_...             llama.cpp's short forms and variables of those above
Its own:
  --body NAME            recorded metrics body to speak like (vllm-0.20.2; SGLang sglang-0.5.12, sglang-0.5.12-ROLE;
                         llama.cpp llamacpp-11434, Dynamo dynamo-1.6.1-worker-vllm0.31.0)
  --bodies DIR           where the recorded bodies lie (/bodies)
  --kv-tokens N          tokens that the cache holds (16384)
  --step-base D          time of one step (7.7ms), and for each sequence in it:
  --step-per-seq D       (0.5ms)
  --prefill-per-token D  time for each prompt token (0.36ms)
  --speed X              all of those divided by X (1)
  --startup-delay D      answer 503 for so long after the start (0s)
  --startup-refuse       refuse connections during that time instead
  --metrics-path PATH    answer there instead of on /metrics
  --metrics-port P       answer on that port instead, with plain http
  --metrics-delay D      think so long before answering /metrics (0s)
  --absent-until-first-request   leave out the series until a request came
  --proxy-to URL --token T       be no engine: pass on to URL what carries the token, answer 401 to all else
`

// ParseOptions reads a command line. program is the name it was started by.
func ParseOptions(program string, arguments []string) (*Options, error) {
	flags, model := splitArguments(arguments)
	options := &Options{Engine: "vllm", Pace: DefaultPace, Metrics: true}
	host, port, body, seats := "0.0.0.0", "8000", "vllm-0.20.2", 8
	switch {
	case filepath.Base(program) == "llama-server":
		options.Engine, host, port, body, seats = "llamacpp", "127.0.0.1", "8080", "llamacpp-11434", 4
		flags.addLlamaForms()
		options.Metrics = flags.has("metrics")
	case filepath.Base(program) == "sglang" || flags.has("model-path"):
		options.Engine, host, port, body = "sglang", "127.0.0.1", "30000", "sglang-0.5.12"
		options.Metrics = flags.has("enable-metrics")
		if role := flags.text("disaggregation-mode", "null"); role != "null" {
			options.Role = role
			body += "-" + role
		}
	case filepath.Base(program) == "dynamo":
		options.Engine, port, body = "dynamo", "9090", "dynamo-1.6.1-worker-vllm0.31.0"
		if given := os.Getenv("DYN_SYSTEM_PORT"); given != "" {
			port = given
		}
	}
	host = flags.text("host", host)
	options.Address = net.JoinHostPort(host, flags.text("port", port))
	if flags.has("metrics-port") {
		options.MetricsAddress = net.JoinHostPort(host, flags.text("metrics-port", ""))
	}
	options.MetricsPath = flags.text("metrics-path", "/metrics")
	options.CertFile = flags.text("ssl-certfile", flags.text("ssl-cert-file", ""))
	options.KeyFile = flags.text("ssl-keyfile", flags.text("ssl-key-file", ""))
	options.Body = flags.text("body", body)
	options.Bodies = flags.text("bodies", "/bodies")
	options.Model = flags.text("model", flags.text("model-path", model))
	if options.Model == "" {
		options.Model = "tiny"
	}
	options.ServedNames = append(flags["served-model-name"], flags["alias"]...)
	if len(options.ServedNames) == 0 {
		options.ServedNames = []string{options.Model}
	}
	for _, module := range flags["lora-modules"] {
		name, path, _ := strings.Cut(module, "=")
		options.Adapters = append(options.Adapters, Adapter{name, path})
	}
	options.Refuse = flags.has("startup-refuse")
	options.Token = flags.text("token", "")
	options.AbsentUntilFirst = flags.has("absent-until-first-request")

	reader := &reader{flags: flags}
	options.Seats = reader.number("max-num-seqs", reader.number("max-running-requests", reader.number("parallel", seats)))
	options.MaxModelLen = reader.number("max-model-len", reader.number("context-length", reader.number("ctx-size", 4096)))
	options.KVTokens = reader.number("kv-tokens", 16384)
	options.Pace.StepTokens = reader.number("max-num-batched-tokens", DefaultPace.StepTokens)
	options.StartupDelay = reader.duration("startup-delay", 0)
	options.MetricsDelay = reader.duration("metrics-delay", 0)
	speed := reader.decimal("speed", 1)
	options.Pace.StepBase = scaled(reader.duration("step-base", DefaultPace.StepBase), speed)
	options.Pace.StepPerSeq = scaled(reader.duration("step-per-seq", DefaultPace.StepPerSeq), speed)
	options.Pace.PerPrompt = scaled(reader.duration("prefill-per-token", DefaultPace.PerPrompt), speed)
	if target := flags.text("proxy-to", ""); target != "" {
		parsed, err := url.Parse(target)
		if err != nil || parsed.Host == "" || options.Token == "" {
			reader.problem = fmt.Errorf("--proxy-to: %q and --token: an address and a token are needed", target)
		}
		options.ProxyTo = parsed
	}
	if (options.CertFile == "") != (options.KeyFile == "") {
		reader.problem = fmt.Errorf("a certificate and its key go together: --ssl-certfile and --ssl-keyfile")
	}
	if options.Role != "" && options.Role != "prefill" && options.Role != "decode" {
		reader.problem = fmt.Errorf("--disaggregation-mode: %q is not prefill or decode", options.Role)
	}
	return options, reader.problem
}

// Summary says in one line what runs.
func (o *Options) Summary() string {
	if o.ProxyTo != nil {
		return fmt.Sprintf("%s behind a token on %s", o.ProxyTo, o.Address)
	}
	return fmt.Sprintf("%s as %v on %s: %d seats, %d cache tokens, body %s",
		o.Model, o.ServedNames, o.Address, o.Seats, o.KVTokens, o.Body)
}

func scaled(duration time.Duration, speed float64) time.Duration {
	return time.Duration(float64(duration) / speed)
}

// flagForm tells a flag from a negative number.
var flagForm = regexp.MustCompile(`^(--|-[a-zA-Z])`)

// arguments are flags with their values; a flag that stands alone has none.
type arguments map[string][]string

// llamaForms are llama-server's other words for a flag: short ones, and variables of the environment
// (common/arg.cpp).
var llamaForms = map[string][]string{
	"model":         {"m", "LLAMA_ARG_MODEL"},
	"alias":         {"a", "LLAMA_ARG_ALIAS"},
	"host":          {"LLAMA_ARG_HOST"},
	"port":          {"LLAMA_ARG_PORT"},
	"ctx-size":      {"c", "LLAMA_ARG_CTX_SIZE"},
	"parallel":      {"np", "LLAMA_ARG_N_PARALLEL"},
	"metrics":       {"LLAMA_ARG_ENDPOINT_METRICS"},
	"ssl-cert-file": {"LLAMA_ARG_SSL_CERT_FILE"},
	"ssl-key-file":  {"LLAMA_ARG_SSL_KEY_FILE"},
}

// addLlamaForms fills in the flags that llama-server was told in another form.
func (a arguments) addLlamaForms() {
	for name, forms := range llamaForms {
		for _, form := range forms {
			if a.has(name) {
				break
			}
			if values, found := a[form]; found {
				a[name] = values
			} else if value := os.Getenv(form); value != "" && value != "0" {
				a[name] = []string{value}
			}
		}
	}
}

// splitArguments takes "--flag value...", "-flag value", "--flag=value" and "serve MODEL" apart. Engines have hundreds of
// flags, so unknown ones are kept and never read.
func splitArguments(list []string) (arguments, string) {
	flags := arguments{}
	model, current := "", ""
	for i, argument := range list {
		switch {
		case flagForm.MatchString(argument):
			name, value, given := strings.Cut(strings.TrimLeft(argument, "-"), "=")
			current = strings.ReplaceAll(name, "_", "-")
			flags[current] = nil
			if given {
				flags[current], current = []string{value}, ""
			}
		case current != "":
			flags[current] = append(flags[current], argument)
		case i > 0 && list[i-1] == "serve":
			model = argument
		}
	}
	return flags, model
}

func (a arguments) has(name string) bool {
	_, found := a[name]
	return found
}

func (a arguments) text(name, otherwise string) string {
	if values := a[name]; len(values) > 0 {
		return values[0]
	}
	return otherwise
}

// reader turns flag values into numbers and keeps the first problem it meets.
type reader struct {
	flags   arguments
	problem error
}

func (r *reader) number(name string, otherwise int) int {
	return read(r, name, otherwise, strconv.Atoi, 1)
}

func (r *reader) duration(name string, otherwise time.Duration) time.Duration {
	return read(r, name, otherwise, time.ParseDuration, 0)
}

func (r *reader) decimal(name string, otherwise float64) float64 {
	parse := func(text string) (float64, error) { return strconv.ParseFloat(text, 64) }
	return read(r, name, otherwise, parse, 1e-6)
}

func read[T int | float64 | time.Duration](
	r *reader, name string, otherwise T, parse func(string) (T, error), least T,
) T {
	text := r.flags.text(name, "")
	if text == "" {
		return otherwise
	}
	value, err := parse(text)
	if (err != nil || value < least) && r.problem == nil {
		r.problem = fmt.Errorf("--%s: %q is not a value for it", name, text)
	}
	return value
}
