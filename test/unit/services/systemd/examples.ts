/** Services that are hard to read, and what systemd 252 gave to their processes. */

export type ServiceExample = {
  /** What is hard about it. */
  readonly about: string;
  /** The unit file of `exampleUnit`, to which an ExecStart= is to be added. */
  readonly unit: string;
  /** Texts of environment files, by their paths. */
  readonly files: Readonly<Record<string, string>>;
  /** Measured: the environment, without what systemd gives to every service. */
  readonly environment: Readonly<Record<string, string>>;
};

/** The name under which the examples were measured: some use specifiers. */
export const exampleUnit = "example.service";

export const serviceExamples: readonly ServiceExample[] = [
  {
    about: "twelve settings, of all kinds",
    unit: String.raw`
[Unit]
Description=Twelve settings

[Service]
Environment=PLAIN=1
Environment="QUOTED=two words" 'SINGLE=it is "so"' GLUED="three "'more 'words
Environment=CONTINUED=a \
    SECOND=b \
# a comment between
  ; and another \
    THIRD=c
Environment="INSIDE=begun \
    and   ended"
Environment=ESCAPED=\x41\102\u00e9\U0001F600\303\251\ttab\sblank "NEWLINE=one\ntwo" 'BACKSLASH=C:\\dir'
Environment=PERCENT=100%% UNIT=%n PREFIX=%p
Environment=DOLLAR=$HOME "HASH=#1 ;2"
Environment=EMPTY= SIGN==a=b=
Environment=TWICE=first
Environment=TWICE=second
Environment=LD_PRELOAD=libdl.so.2 GODEBUG=madvdontneed=1
	Environment	 = 	 BLANKS=around
EnvironmentFile=-/etc/example/missing.env
EnvironmentFile=/etc/example/twelve.env
`.slice(1),
    files: {
      "/etc/example/twelve.env": String.raw`
# what the administrator wants \
  COMMENTED=1
PLAIN=from the file
FILE_QUOTED="two words" FILE_INLINE
FILE_SINGLE='as is: \n $HOME "x"'
FILE_CONTINUED=one \
  two
  FILE_BLANKS =  kept  inside  
`.slice(1),
    },
    environment: {
      PLAIN: "from the file",
      QUOTED: "two words",
      SINGLE: 'it is "so"',
      GLUED: "three more words",
      CONTINUED: "a",
      SECOND: "b",
      THIRD: "c",
      INSIDE: "begun      and   ended",
      ESCAPED: "ABé😀é\ttab blank",
      NEWLINE: "one\ntwo",
      BACKSLASH: "C:\\dir",
      PERCENT: "100%",
      UNIT: "example.service",
      PREFIX: "example",
      DOLLAR: "$HOME",
      HASH: "#1 ;2",
      EMPTY: "",
      SIGN: "=a=b=",
      TWICE: "second",
      LD_PRELOAD: "libdl.so.2",
      GODEBUG: "madvdontneed=1",
      BLANKS: "around",
      FILE_QUOTED: "two wordsFILE_INLINE",
      FILE_SINGLE: 'as is: \\n $HOME "x"',
      FILE_CONTINUED: "one   two",
      FILE_BLANKS: "kept  inside",
    },
  },
  {
    about: "settings that are taken back",
    unit: String.raw`
[Service]
Environment=GONE=1 ALSO_GONE=2
EnvironmentFile=/etc/example/gone.env
Environment=
EnvironmentFile=
EnvironmentFile=relative.env
EnvironmentFile=/etc/example/stays.env
Environment=GONE_BY_A_CONTINUED_BLANK=3
Environment=\

Environment=STAYS=4
`.slice(1),
    files: { "/etc/example/gone.env": "FILE_GONE=1\n", "/etc/example/stays.env": "FILE_STAYS=1\n" },
    environment: {
      STAYS: "4",
      FILE_STAYS: "1",
    },
  },
  {
    about: "errors",
    unit: String.raw`
Environment=OUTSIDE=1
[Service]
Environment=BEFORE=1 UNKNOWN=\q BEHIND=2
Environment=KEPT=1 "OPEN=2
Environment=1DIGIT=1 WITH-DASH=2 NAMELESS =3 FINE=4
Environment=NUL=\x00
Environment=WIDE=\400
Environment
=VALUE=1
Environment=AFTER=1 \ # no comment here
[X-Other]
Environment=ELSEWHERE=1
[Unknown]
Environment=ELSEWHERE_TOO=1
[Service]
environment=LOWER=1
Environment=LAST=1
`.slice(1),
    files: {},
    environment: {
      BEFORE: "1",
      KEPT: "1",
      FINE: "4",
      AFTER: "1",
      LAST: "1",
    },
  },
  {
    about: "quotes within words",
    unit: String.raw`
[Service]
Environment="A=1"B=2 C'=3' D="it's" E='say "x"' F=\"\'
Environment="G=a	tab" H='x\'y' 'I=x\\' "J=\"" K=""
Environment=L=x#y M=x;y # N=1 ; O=2
Environment="P= leading and trailing " Q=a=b
`.slice(1),
    files: {},
    environment: {
      A: "1B=2",
      C: "3",
      D: "it's",
      E: 'say "x"',
      F: "\"'",
      G: "a\ttab",
      H: "x'y",
      I: "x\\",
      J: '"',
      K: "",
      L: "x#y",
      M: "x;y",
      N: "1",
      O: "2",
      P: " leading and trailing ",
      Q: "a=b",
    },
  },
  {
    about: "lines that end as on Windows",
    unit: ["[Service]", "Environment=A=1 \\", "  B=2", "# comment", "Environment=C=3", ""].join("\r\n"),
    files: {},
    environment: {
      A: "1",
      B: "2",
      C: "3",
    },
  },
  {
    about: "the end of the file within a line",
    unit: "[Service]\nEnvironment=A=1 \\\n  B=2 \\",
    files: {},
    environment: {
      A: "1",
      B: "2",
    },
  },
  {
    about: "environment files",
    unit: `
[Service]
Environment=A=unit B=unit C=unit
EnvironmentFile=/etc/example/%p-first.env
EnvironmentFile=/etc/example/second-*.env
`.slice(1),
    files: {
      "/etc/example/example-first.env": [
        "B=first",
        "export EXPORTED=1",
        "; COMMENTED='1",
        "  # COMMENTED=2",
        "no assignment",
        "1DIGIT=1",
        "SPECIFIER=%n",
        "DOLLAR=$A",
        'DOUBLE="a\\"b\\\\c\\`d\\$e\\nf"',
        "SINGLE='a\\'",
        "GLUED='a'\"b\" 'c' d'e'",
        'BARE=a\\"b\\\\c\\n \\ ',
        'LINES="one',
        "two\\",
        'three"',
        "JOINED=one \\",
        "   two\\",
        "three",
        "EMPTY=",
        "EMPTY_TOO=''",
        "HASH=a # b",
        "EQUALS==a=b",
        "WINDOWS=1\r",
        'OPEN="to the end',
        "NEVER=1",
      ].join("\n"),
      "/etc/example/second-1.env": "C=one\nD=one\n",
      "/etc/example/second-2.env": "D='two",
    },
    environment: {
      A: "unit",
      B: "first",
      C: "one",
      SPECIFIER: "%n",
      DOLLAR: "$A",
      DOUBLE: 'a"b\\c`d$e\\nf',
      SINGLE: "a\\",
      GLUED: "abcd'e'",
      BARE: 'a"b\\cn  ',
      LINES: "one\ntwothree",
      JOINED: "one    twothree",
      EMPTY: "",
      EMPTY_TOO: "",
      HASH: "a # b",
      EQUALS: "=a=b",
      WINDOWS: "1",
      OPEN: "to the end\nNEVER=1",
      D: "two",
    },
  },
];
