// Runs as they train: told by the server, as long as there is one.
import '../theme.css'
import '../run.css'
import { pageData, pageRoot } from '../dom.js'
import { Watched } from '../watched.js'

const watched = new Watched(pageData<{ title: string }>().title, pageRoot())
const news = new EventSource('news')
news.addEventListener('message', ({ data }) => watched.take(JSON.parse(data as string)))
news.addEventListener('ready', () => watched.connected())
// The browser tries again by itself.
news.addEventListener('error', () => watched.disconnected())
