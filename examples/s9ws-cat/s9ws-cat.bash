# s9ws-cat.bash: what bash completes of s9ws-cat
#
# SPDX-License-Identifier: LGPL-2.1-or-later

_s9ws_cat ()
{
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]-}
  COMPREPLY=()

  # "--client=async" is three words to bash.
  if [ "$word" = = ]; then
    word=""
  elif [ "$before" = = ]; then
    before=${COMP_WORDS[COMP_CWORD-2]}
  fi

  case $before in
    -c|--client)
      COMPREPLY=($(compgen -W "blocking non-blocking async" -- "$word")) ;;
    --wait-strategy)
      COMPREPLY=($(compgen -W "spin sleep wait adaptive" -- "$word")) ;;
    --ca-file|--certificate-file|--key-file)
      local IFS=$'\n'
      compopt -o filenames 2>/dev/null
      COMPREPLY=($(compgen -f -- "$word")) ;;
    -H|--header)
      COMPREPLY=($(compgen -S : -W "Authorization Cookie Origin User-Agent" -- "$word"))
      compopt -o nospace 2>/dev/null ;;
    -P|--protocol|-p|--ping|-t|--pong-timeout|-w|--wait|--spin-wait-duration)
      ;;
    *)
      case $word in
        -*)
          COMPREPLY=($(compgen -W "--binary --ca-file --certificate-file --client --header --help
            --insecure --keep-open --key-file --one-message --ping --pong-timeout --protocol --spin-wait-duration
            --stats --verbose --version --wait --wait-strategy" -- "$word")) ;;
        *)
          COMPREPLY=($(compgen -W "ws:// wss:// ws+unix: wss+unix:" -- "$word"))
          compopt -o nospace 2>/dev/null ;;
      esac ;;
  esac
}

complete -F _s9ws_cat s9ws-cat
